/**
 * A node's widgets: which there are, in which order a file saves them, and the values that a node holds.
 *
 * Values are restored by name where the file names them, else by position in the exact saved order, moved by one
 * place if that alone repairs them. What still does not fit becomes the default and is reported; the file's own
 * value stays in the document.
 */
import type { GraphNode } from "./document.ts";
import type { InputDefinition, NodeDefinition } from "./definitions.ts";
import { optionInputs, optionKeys } from "./dynamic.ts";
import { integer, isArray, type Json, writeJson } from "./json.ts";

export const CONTROLS = ["fixed", "increment", "decrement", "randomize"] as const;
export type Control = (typeof CONTROLS)[number];

/** One place in `widgets_values`. Only those with the role `value` are sent to the server. */
export interface WidgetEntry {
  readonly key: string;
  readonly role: "value" | "control" | "filter" | "upload";
  /** The input whose value this is, or that it controls. */
  readonly input: InputDefinition;
}

export interface Widgets {
  readonly entries: readonly WidgetEntry[];
  readonly values: { readonly [key: string]: Json };
  /** One sentence for each saved value that did not fit. */
  readonly warnings: readonly string[];
}

const NO_WIDGETS: Widgets = { entries: [], values: {}, warnings: [] };
const UPLOADS = ["image_upload", "video_upload", "animated_image_upload"];

/** Memory of widgetsOf: nodes and definitions are immutable, so the answer for a pair never changes. */
const resolved = new WeakMap<GraphNode, { definition: NodeDefinition; widgets: Widgets }>();

export function widgetsOf(node: GraphNode, definition: NodeDefinition | undefined): Widgets {
  if (!definition) return NO_WIDGETS;
  const known = resolved.get(node);
  if (known?.definition === definition) return known.widgets;
  const widgets = restore(node, definition);
  resolved.set(node, { definition, widgets });
  return widgets;
}

export function hasControl(input: InputDefinition): boolean {
  const control = input.options["control_after_generate"];
  if (control === false) return false;
  if (control === true || typeof control === "string") return true;
  return input.type === "INT" && /(^|\.)(seed|noise_seed)$/.test(input.name);
}

export function isUpload(input: InputDefinition): boolean {
  return UPLOADS.some((option) => input.options[option] === true);
}

export function defaultValue(input: InputDefinition): Json {
  const given = input.options["default"];
  if (given !== undefined && !(input.widget === "combo" && isArray(given))) return given;
  switch (input.widget) {
    case "integer":
    case "number":
      return leastOf(input);
    case "toggle":
      return false;
    case "combo":
      return input.choices?.[0] ?? "";
    case "dynamic-combo":
      return optionKeys(input)[0] ?? "";
    case "text":
      return "";
    case "other":
    case null:
      return null;
  }
}

function leastOf({ options: { min } }: InputDefinition): Json {
  return (typeof min === "number" || typeof min === "bigint") && min > 0 ? min : 0;
}

/** The places of `widgets_values` in order. `read` gives the value at a place, on which later places may depend. */
export function listEntries(
  definition: NodeDefinition,
  read: (entry: WidgetEntry, index: number) => Json | undefined,
): WidgetEntry[] {
  const entries: WidgetEntry[] = [];
  const uploads: WidgetEntry[] = [];
  const controls = new Set<string>();
  const visit = (input: InputDefinition): void => {
    if (input.widget === null) return;
    const entry: WidgetEntry = { key: input.name, role: "value", input };
    entries.push(entry);
    const value = read(entry, entries.length - 1);
    if (input.widget === "dynamic-combo") optionInputs(input, value).forEach(visit);
    if (hasControl(input)) {
      const key = controls.size === 0 ? "control_after_generate" : `${input.name}.control_after_generate`;
      controls.add(key);
      entries.push({ key, role: "control", input });
      if (input.widget === "combo") entries.push({ key: "control_filter_list", role: "filter", input });
    }
    if (isUpload(input)) uploads.push({ key: "upload", role: "upload", input });
  };
  definition.inputs.forEach(visit);
  return [...entries, ...uploads];
}

function restore(node: GraphNode, definition: NodeDefinition): Widgets {
  const { named } = node;
  if (named) return settle(node, definition, (entry) => named[entry.key]);
  const saved = node.saved?.["widgets_values"];
  if (!isArray(saved) || saved.length === 0) return settle(node, definition, () => undefined);
  const values = dropDummies(saved, definition);
  let best: Widgets | null = null;
  for (const shift of [0, 1, -1]) {
    const attempt = settle(node, definition, (_, index) => values[index + shift]);
    if (attempt.warnings.length === 0) return attempt;
    best ??= attempt;
  }
  return best ?? NO_WIDGETS;
}

function settle(
  node: GraphNode,
  definition: NodeDefinition,
  saved: (entry: WidgetEntry, index: number) => Json | undefined,
): Widgets {
  const values: Record<string, Json> = {};
  const warnings: string[] = [];
  const entries = listEntries(definition, (entry, index) => {
    const value = node.values[entry.key] ?? coerce(entry, saved(entry, index));
    return fits(entry, value) ? value : defaultValue(entry.input);
  });
  entries.forEach((entry, index) => {
    const raw = node.values[entry.key] ?? saved(entry, index);
    const value = coerce(entry, raw);
    if (fits(entry, value)) values[entry.key] = value;
    else {
      values[entry.key] = entryDefault(entry);
      if (raw !== undefined && raw !== null && entry.role === "value") {
        warnings.push(`“${entry.key}” cannot be ${writeJson(raw)}; it shows its default instead.`);
      }
    }
  });
  return { entries, values, warnings };
}

function entryDefault(entry: WidgetEntry): Json {
  switch (entry.role) {
    case "value":
      return defaultValue(entry.input);
    case "control": {
      const given = entry.input.options["control_after_generate"];
      return typeof given === "string" ? given : "randomize";
    }
    case "filter":
      return "";
    case "upload":
      return "image";
  }
}

/** Old files wrote `true` and `false` for a control, and numbers as text. */
function coerce(entry: WidgetEntry, value: Json | undefined): Json | undefined {
  if (entry.role === "control") return value === true ? "randomize" : value === false ? "fixed" : value;
  const numeric = entry.input.widget === "integer" || entry.input.widget === "number";
  if (numeric && typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)))
    return /^\s*-?\d+\s*$/.test(value) ? integer(BigInt(value)) : Number(value);
  return value;
}

function fits(entry: WidgetEntry, value: Json | undefined): value is Json {
  if (value === undefined || value === null) return false;
  if (entry.role === "control")
    return typeof value === "string" && /^(fixed|increment|decrement|randomize|increment-wrap)$/.test(value);
  if (entry.role !== "value") return true;
  return valueFits(entry.input, value);
}

/** Whether a value is of the widget's kind. A combo's unknown option fits: it is shown as missing, never changed. */
export function valueFits(input: InputDefinition, value: Json): boolean {
  switch (input.widget) {
    case "integer":
    case "number":
      return typeof value === "bigint" || (typeof value === "number" && Number.isFinite(value));
    case "toggle":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string";
    case "combo": {
      const choices = input.choices ?? [];
      if (choices.includes(value) || choices.length === 0) return true;
      return isArray(value) || choices.some((choice) => typeof choice === typeof value);
    }
    case "dynamic-combo":
      return optionKeys(input).includes(String(value));
    case "other":
    case null:
      return true;
  }
}

/** Files of early 2025 and before held a dummy for each forced input between the widgets. */
function dropDummies(values: readonly Json[], definition: NodeDefinition): readonly Json[] {
  const isForced = (input: InputDefinition): boolean => input.options["forceInput"] === true;
  const forced = definition.inputs.filter(isForced).length;
  const entries = listEntries(definition, () => undefined);
  if (forced === 0 || values.length !== entries.length + forced) return values;
  const keep: Json[] = [];
  let index = 0;
  for (const input of definition.inputs) {
    if (isForced(input)) index += 1;
    else if (input.widget) {
      const count = entries.filter((entry) => entry.input === input && entry.role !== "upload").length;
      keep.push(...values.slice(index, index + count));
      index += count;
    }
  }
  return [...keep, ...values.slice(index)];
}
