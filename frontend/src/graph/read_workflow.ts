/** A workflow file (0.4 or schema 1) -> document. Accepts whatever real files hold; refuses only what is no workflow. */
import {
  type GraphNode,
  type Group,
  type Link,
  type LinkId,
  type Mode,
  type NodeId,
  type Point,
  type RailSocket,
  type SavedInput,
  type SavedOutput,
  type Subgraph,
  type WorkflowDocument,
  linkId,
  nodeId,
} from "./document.ts";
import { asNumber, asString, isArray, isObject, type Json, type JsonObject } from "./json.ts";
import { readReroutes } from "./reroute_files.ts";

/** Why a file cannot be opened, as the end of a sentence that names it. */
export class UnreadableError extends Error {}

export function isWorkflow(raw: Json): raw is JsonObject {
  return isObject(raw) && isArray(raw["nodes"]);
}

export function readWorkflow(raw: Json): WorkflowDocument {
  if (!isWorkflow(raw)) throw new UnreadableError("has no list of nodes");
  const { nodes: rawNodes, links: rawLinks, groups: rawGroups, ...rest } = raw;
  const subgraphs = readSubgraphs(raw);
  const { nodes, links } = readNetwork(rawNodes, rawLinks, subgraphs);
  const { reroutes, via } = readReroutes(rest, rawLinks);
  return {
    nodes: Object.fromEntries(nodes.map((node) => [node.id, node])),
    links: Object.fromEntries(links.map((link) => [link.id, { ...link, via: via.get(link.id) ?? null }])),
    groups: objects(rawGroups).map(readGroup),
    reroutes,
    subgraphs,
    saved: rest,
    order: { nodes: nodes.map((node) => node.id), links: links.map((link) => link.id) },
  };
}

function objects(raw: Json | undefined): JsonObject[] {
  return isArray(raw) ? raw.filter(isObject) : [];
}

/** All definitions, those nested in definitions included. */
function readSubgraphs(raw: JsonObject): Record<string, Subgraph> {
  const found: JsonObject[] = [];
  const collect = (holder: JsonObject): void => {
    const definitions = holder["definitions"];
    if (!isObject(definitions)) return;
    for (const definition of objects(definitions["subgraphs"])) {
      found.push(definition);
      collect(definition);
    }
  };
  collect(raw);
  const subgraphs: Record<string, Subgraph> = {};
  // Rails first: reading an instance's values needs the rails of its definition.
  for (const definition of found) {
    const id = asString(definition["id"]);
    if (id)
      subgraphs[id] = {
        id,
        name: asString(definition["name"]) ?? "Subgraph",
        ...rails(definition),
        nodes: {},
        links: {},
      };
  }
  // Links and inner nodes next; instances among them refer to the shells made above.
  for (const pass of ["links", "nodes"] as const) {
    for (const definition of found) {
      const shell = subgraphs[asString(definition["id"]) ?? ""];
      if (!shell) continue;
      const { nodes, links } = readNetwork(definition["nodes"], definition["links"], subgraphs);
      subgraphs[shell.id] = {
        ...shell,
        nodes: Object.fromEntries(nodes.map((node) => [node.id, node])),
        links:
          pass === "links" || Object.keys(shell.links).length === 0
            ? Object.fromEntries(links.map((link) => [link.id, link]))
            : shell.links,
      };
    }
  }
  return subgraphs;
}

function rails(definition: JsonObject): { inputs: RailSocket[]; outputs: RailSocket[] } {
  const read = (raw: JsonObject): RailSocket => ({
    name: asString(raw["name"]) ?? "",
    type: typeName(raw["type"]),
    label: asString(raw["label"]),
  });
  return { inputs: objects(definition["inputs"]).map(read), outputs: objects(definition["outputs"]).map(read) };
}

function readNetwork(
  rawNodes: Json | undefined,
  rawLinks: Json | undefined,
  subgraphs: Record<string, Subgraph>,
): { nodes: GraphNode[]; links: Link[] } {
  const nodes = new Map<NodeId, GraphNode>();
  const claims = new Map<LinkId, { target: NodeId; input: string }>();
  for (const raw of objects(rawNodes)) {
    const node = readNode(raw, subgraphs);
    if (node.type === "" || nodes.has(node.id)) continue;
    nodes.set(node.id, node);
    for (const input of node.inputs) {
      const link = asNumber(input.saved?.["link"]);
      if (link !== null) claims.set(linkId(link), { target: node.id, input: input.name });
    }
  }
  const links = isArray(rawLinks) ? rawLinks.flatMap((raw) => readLink(raw, nodes, claims) ?? []) : [];
  return { nodes: [...nodes.values()], links: oneLinkAnInput(links, claims) };
}

function readLink(
  raw: Json,
  nodes: ReadonlyMap<NodeId, GraphNode>,
  claims: ReadonlyMap<LinkId, { target: NodeId; input: string }>,
): Link | null {
  const parts = isArray(raw)
    ? raw
    : isObject(raw)
      ? ["id", "origin_id", "origin_slot", "target_id", "target_slot", "type"].map((key) => raw[key])
      : [];
  const [id, source, output, target, index, type] = parts;
  if (asNumber(id) === null || !isId(source) || !isId(target)) return null;
  const to = nodeId(target);
  const claim = claims.get(linkId(Number(id)));
  // Saved indices go stale; the input that names the link is right. Rails have no such list.
  const input = claim?.target === to ? claim.input : (nodes.get(to)?.inputs[Number(index)]?.name ?? String(index ?? 0));
  const base = {
    id: linkId(Number(id)),
    source: nodeId(source),
    output: Number(output ?? 0),
    type: typeName(type),
    via: null,
    saved: raw,
  };
  return { ...base, target: to, input };
}

function isId(value: Json | undefined): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

/** Of two links into one input, the one that the input names wins; else the first. */
function oneLinkAnInput(links: Link[], claims: ReadonlyMap<LinkId, unknown>): Link[] {
  const winners = new Map<string, Link>();
  for (const link of links) {
    if (Number(link.target) < 0) continue;
    const place = `${link.target}\u0000${link.input}`;
    const rival = winners.get(place);
    if (!rival || (!claims.has(rival.id) && claims.has(link.id))) winners.set(place, link);
  }
  const kept = new Set(winners.values());
  return links.filter((link) => Number(link.target) < 0 || kept.has(link));
}

function typeName(raw: Json | undefined): string {
  if (typeof raw === "string") return raw;
  return isArray(raw) ? "COMBO" : "*";
}

function point(raw: Json | undefined, fallback: Point): Point {
  const pair = isArray(raw) ? raw : isObject(raw) ? [raw["0"], raw["1"]] : [];
  return [asNumber(pair[0]) ?? fallback[0], asNumber(pair[1]) ?? fallback[1]];
}

function readMode(raw: Json | undefined): Mode {
  return raw === 1 || raw === 2 || raw === 3 || raw === 4 ? raw : 0;
}

function readNode(raw: JsonObject, subgraphs: Record<string, Subgraph>): GraphNode {
  const flags = isObject(raw["flags"]) ? raw["flags"] : {};
  const id = raw["id"];
  const type = asString(raw["type"]) ?? "";
  return {
    id: nodeId(isId(id) ? id : ""),
    type,
    title: asString(raw["title"]),
    pos: point(raw["pos"], [0, 0]),
    size: point(raw["size"], [210, 60]),
    mode: readMode(raw["mode"]),
    collapsed: flags["collapsed"] === true,
    pinned: flags["pinned"] === true,
    showsAdvanced: flags["advanced"] === true,
    color: asString(raw["color"]),
    inputs: uniqueNames(objects(raw["inputs"]).map(readInput)),
    outputs: objects(raw["outputs"]).map(readOutput),
    values: {},
    named: readNamed(raw, subgraphs[type]),
    saved: raw,
  };
}

function readInput(raw: JsonObject): SavedInput {
  return {
    name: asString(raw["name"]) ?? "",
    type: typeName(raw["type"]),
    label: asString(raw["label"]),
    widget: isObject(raw["widget"]) ? asString(raw["widget"]["name"]) : null,
    saved: raw,
  };
}

/** Inputs are told apart by name; unknown classes may repeat one. */
function uniqueNames(inputs: SavedInput[]): SavedInput[] {
  const seen = new Set<string>();
  return inputs.map((input) => {
    let name = input.name;
    for (let copy = 2; seen.has(name); copy += 1) name = `${input.name} (${copy})`;
    seen.add(name);
    return name === input.name ? input : { ...input, name };
  });
}

function readOutput(raw: JsonObject): SavedOutput {
  return {
    name: asString(raw["name"]) ?? "",
    type: typeName(raw["type"]),
    label: asString(raw["label"]),
    saved: raw,
  };
}

function readNamed(raw: JsonObject, subgraph: Subgraph | undefined): JsonObject | null {
  if (isObject(raw["widgets_values_named"])) return raw["widgets_values_named"];
  const values = raw["widgets_values"];
  if (isObject(values)) return values;
  const proxies = proxyWidgets(raw);
  if (!subgraph || proxies.length === 0 || !isArray(values)) return null;
  return Object.fromEntries(
    proxies.flatMap(({ inner, widget }, index) => {
      const name = inner === "-1" ? widget : promotedAs(subgraph, nodeId(inner), widget);
      const value = values[index];
      return name === null || value === undefined ? [] : [[name, value]];
    }),
  );
}

export interface ProxyWidget {
  readonly inner: string;
  readonly widget: string;
}

/** The older way to promote: pairs of an inner node and its widget, parallel to the instance's values. */
export function proxyWidgets(raw: JsonObject | null): ProxyWidget[] {
  const properties = raw?.["properties"];
  const list = isObject(properties) ? properties["proxyWidgets"] : null;
  if (!isArray(list)) return [];
  return list.map((entry) =>
    isArray(entry) ? { inner: String(entry[0]), widget: String(entry[1]) } : { inner: "", widget: "" },
  );
}

/** The name of the subgraph's input that feeds this inner widget; null when none does. */
export function promotedAs(subgraph: Subgraph, inner: NodeId, widget: string): string | null {
  for (const link of Object.values(subgraph.links)) {
    if (Number(link.source) === -10 && link.target === inner && link.input === widget) {
      return subgraph.inputs[link.output]?.name ?? null;
    }
  }
  return null;
}

function readGroup(raw: JsonObject): Group {
  const [x, y, width, height] = (isArray(raw["bounding"]) ? raw["bounding"] : []).map((value) => asNumber(value) ?? 0);
  return {
    title: asString(raw["title"]) ?? "Group",
    bounding: [x ?? 0, y ?? 0, width ?? 0, height ?? 0],
    color: asString(raw["color"]),
    saved: raw,
  };
}
