/** A prompt (API format) -> document. Every node is new; the caller arranges them, as a prompt has no positions. */
import {
  EMPTY_DOCUMENT,
  type GraphNode,
  type Link,
  type NodeId,
  type SavedInput,
  type SavedOutput,
  type WorkflowDocument,
  linkId,
  nodeId,
} from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { asString, isArray, isObject, type Json, type JsonObject } from "./json.ts";

export function isPrompt(raw: Json): raw is JsonObject {
  if (!isObject(raw)) return false;
  const nodes = Object.values(raw);
  return (
    nodes.length > 0 &&
    nodes.every((node) => isObject(node) && asString(node["class_type"]) && isObject(node["inputs"]))
  );
}

export function readPrompt(raw: JsonObject, definitions: Definitions): WorkflowDocument {
  const nodes: Record<NodeId, GraphNode> = {};
  const links: Link[] = [];
  const idOf = (id: string): NodeId => nodeId(id.replaceAll(":", "_"));
  for (const [id, spec] of Object.entries(raw)) {
    if (!isObject(spec)) continue;
    const inputs = isObject(spec["inputs"]) ? spec["inputs"] : {};
    const values: Record<string, Json> = {};
    const listed: SavedInput[] = [];
    const classType = asString(spec["class_type"]) ?? "";
    const definition = definitions.get(classType);
    for (const [name, value] of Object.entries(inputs)) {
      if (isLink(value, raw)) {
        const type = outputType(raw[value[0]], value[1], definitions);
        links.push({
          id: linkId(links.length + 1),
          source: idOf(value[0]),
          output: value[1],
          target: idOf(id),
          input: name,
          type,
          via: null,
          saved: null,
        });
        if (!definition) listed.push({ name, type, label: null, widget: null, saved: null });
      } else if (value !== undefined) values[name] = unwrap(value);
    }
    nodes[idOf(id)] = {
      id: idOf(id),
      type: classType,
      title: titleOf(spec, definition?.displayName),
      pos: [0, 0],
      size: [0, 0],
      mode: 0,
      collapsed: false,
      pinned: false,
      showsAdvanced: false,
      color: null,
      inputs: listed,
      outputs: [],
      values: keepControls(values, definition?.inputs.some((input) => /(^|_)seed$/.test(input.name)) ?? false),
      named: null,
      saved: null,
    };
  }
  return {
    ...EMPTY_DOCUMENT,
    nodes: withOutputs(nodes, links),
    links: Object.fromEntries(links.map((link) => [link.id, link])),
  };
}

/** Whoever opens a prompt wants its picture again: its seeds stay as they are. */
function keepControls(values: Record<string, Json>, hasSeed: boolean): Record<string, Json> {
  return hasSeed ? { ...values, control_after_generate: "fixed" } : values;
}

function isLink(value: Json | undefined, raw: JsonObject): value is readonly [string, number] {
  return (
    isArray(value) &&
    value.length === 2 &&
    typeof value[0] === "string" &&
    typeof value[1] === "number" &&
    value[0] in raw
  );
}

function unwrap(value: Json): Json {
  return isObject(value) && value["__value__"] !== undefined ? value["__value__"] : value;
}

function titleOf(spec: JsonObject, displayName: string | undefined): string | null {
  const title = isObject(spec["_meta"]) ? asString(spec["_meta"]["title"]) : null;
  return title === displayName || title === asString(spec["class_type"]) ? null : title;
}

function outputType(source: Json | undefined, output: number, definitions: Definitions): string {
  const classType = isObject(source) ? asString(source["class_type"]) : null;
  return definitions.get(classType ?? "")?.outputs[output]?.type ?? "*";
}

/** A placeholder for an unknown class shows the outputs that its links prove. */
function withOutputs(nodes: Record<NodeId, GraphNode>, links: readonly Link[]): Record<NodeId, GraphNode> {
  const counts = new Map<NodeId, number>();
  for (const link of links) counts.set(link.source, Math.max(counts.get(link.source) ?? 0, link.output + 1));
  return Object.fromEntries(
    Object.values(nodes).map((node) => {
      const outputs: SavedOutput[] = Array.from({ length: counts.get(node.id) ?? 0 }, () => ({
        name: "",
        type: "*",
        label: null,
        saved: null,
      }));
      return [node.id, { ...node, outputs }];
    }),
  );
}
