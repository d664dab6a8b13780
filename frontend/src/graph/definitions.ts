/** Node definitions, read from what /object_info answers. The only place that knows its raw shape. */
import { asString, isArray, isObject, type Json, type JsonObject } from "./json.ts";

export type WidgetKind = "integer" | "number" | "text" | "toggle" | "combo" | "dynamic-combo" | "other";

export interface InputDefinition {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly options: JsonObject;
  /** The values of a combo; null when this is none. */
  readonly choices: readonly Json[] | null;
  /** Null for an input that only a link can feed. */
  readonly widget: WidgetKind | null;
}

export interface OutputDefinition {
  readonly name: string;
  readonly type: string;
  readonly isList: boolean;
  /** The template whose inputs decide its type; null for a type of its own. */
  readonly matches?: string | null;
}

export interface NodeDefinition {
  readonly classType: string;
  readonly displayName: string;
  readonly category: string;
  readonly description: string;
  readonly inputs: readonly InputDefinition[];
  readonly outputs: readonly OutputDefinition[];
  readonly isOutput: boolean;
  readonly isDeprecated: boolean;
}

export type Definitions = ReadonlyMap<string, NodeDefinition>;

const WIDGET_KINDS: { readonly [type: string]: WidgetKind } = {
  INT: "integer",
  FLOAT: "number",
  STRING: "text",
  BOOLEAN: "toggle",
  COMBO: "combo",
  COMFY_DYNAMICCOMBO_V3: "dynamic-combo",
  COLOR: "other",
  CURVE: "other",
  MARKDOWN: "other",
  WEBCAM: "other",
  AUDIO_RECORD: "other",
  AUDIO_UI: "other",
  LOAD_3D: "other",
  LOAD_3D_ANIMATION: "other",
};

export function parseObjectInfo(raw: Json): Definitions {
  const definitions = new Map<string, NodeDefinition>();
  if (!isObject(raw)) return definitions;
  for (const [classType, info] of Object.entries(raw)) {
    if (isObject(info)) definitions.set(classType, parseDefinition(classType, info));
  }
  return definitions;
}

export function parseInput(name: string, spec: Json | undefined, required: boolean): InputDefinition {
  const [head, second] = isArray(spec) ? spec : [spec];
  const options = isObject(second) ? second : {};
  const type = isArray(head) ? "COMBO" : (asString(head) ?? "*");
  const choices = isArray(head) ? head : type === "COMBO" && isArray(options["options"]) ? options["options"] : null;
  const widgetType = asString(options["widgetType"]) ?? type;
  const widget = options["forceInput"] === true ? null : (WIDGET_KINDS[widgetType] ?? null);
  return { name, type, required, options, choices: choices ?? (widget === "combo" ? [] : null), widget };
}

/** The inputs under `required` and `optional`, in the order in which widgets and sockets stand. */
export function parseInputs(inputs: JsonObject, order: JsonObject = {}): InputDefinition[] {
  return ["required", "optional"].flatMap((section) => {
    const specs = inputs[section];
    if (!isObject(specs)) return [];
    const listed = isArray(order[section]) ? order[section].filter((name) => typeof name === "string") : [];
    const names = new Set([...listed.filter((name) => name in specs), ...Object.keys(specs)]);
    return [...names].map((name) => parseInput(name, specs[name], section === "required"));
  });
}

function parseDefinition(classType: string, info: JsonObject): NodeDefinition {
  const outputs = isArray(info["output"]) ? info["output"] : [];
  const names = isArray(info["output_name"]) ? info["output_name"] : [];
  const lists = isArray(info["output_is_list"]) ? info["output_is_list"] : [];
  const matches = isArray(info["output_matchtypes"]) ? info["output_matchtypes"] : [];
  return {
    classType,
    displayName: asString(info["display_name"]) || classType,
    category: asString(info["category"]) ?? "",
    description: asString(info["description"]) ?? "",
    inputs: parseInputs(
      isObject(info["input"]) ? info["input"] : {},
      isObject(info["input_order"]) ? info["input_order"] : {},
    ),
    outputs: outputs.map((type, index) => {
      const typeName = isArray(type) ? "COMBO" : (asString(type) ?? "*");
      return {
        name: asString(names[index]) ?? typeName,
        type: typeName,
        isList: lists[index] === true,
        matches: asString(matches[index]) ?? null,
      };
    }),
    isOutput: info["output_node"] === true,
    isDeprecated: info["deprecated"] === true,
  };
}
