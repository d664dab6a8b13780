/**
 * Document -> 0.4 workflow file.
 *
 * Invariant: what nobody changed is written as it was read. A field is written anew only when the document's value
 * differs from what reading the saved one gives.
 */
import {
  type GraphNode,
  type Group,
  type Link,
  type LinkId,
  type NodeId,
  type WorkflowDocument,
  linksOf,
  nodesOf,
} from "./document.ts";
import { isArray, isObject, type Json, type JsonObject, sameJson } from "./json.ts";
import { type Definitions } from "./definitions.ts";
import { writeReroutes } from "./reroute_files.ts";
import { definitionOf, linkedInputs, type Sockets, socketsOf } from "./sockets.ts";
import { newUuid } from "./uuid.ts";
import { widgetsOf } from "./widgets.ts";

const EMPTY_SET: ReadonlySet<string> = new Set();

export function writeWorkflow(document: WorkflowDocument, definitions: Definitions): JsonObject {
  const linked = linkedInputs(document);
  const nodes = inOrder(nodesOf(document), document.order.nodes);
  const links = inOrder(linksOf(document), document.order.links);
  const inputNames = new Map<NodeId, string[]>();
  const linkOf = new Map(links.map((link) => [`${link.target}\u0000${link.input}`, link]));
  const fromNode = new Map<NodeId, Link[]>();
  for (const link of links) fromNode.set(link.source, [...(fromNode.get(link.source) ?? []), link]);
  const written = nodes.map((node, index) => {
    const definition = definitionOf(document, definitions, node);
    const sockets = socketsOf(node, definition, linked.get(node.id) ?? EMPTY_SET);
    const inputs = writeInputs(node, sockets, linkOf);
    inputNames.set(node.id, inputs.names);
    const outputs = writeOutputs(node, sockets, fromNode.get(node.id) ?? []);
    const values = writeValues(node, document, definitions);
    return { ...writeNode(node, index), ...inputs.field, ...outputs, ...values };
  });
  const root = document.saved ?? newRoot();
  return {
    ...root,
    ...counter(
      root,
      "last_node_id",
      nodes.map((node) => Number(node.id)),
    ),
    ...counter(
      root,
      "last_link_id",
      links.map((link) => link.id),
    ),
    nodes: written,
    links: links.map((link) => writeLink(link, inputNames.get(link.target) ?? [])),
    groups: document.groups.map(writeGroup),
    ...writeReroutes(document, root),
    ...(root["version"] === undefined ? { version: 0.4 } : {}),
  };
}

function newRoot(): JsonObject {
  return { id: newUuid(), revision: 0, config: {}, extra: {}, version: 0.4 };
}

/** The highest id ever given; files never take one back. */
function counter(root: JsonObject, key: string, ids: readonly number[]): JsonObject {
  const highest = Math.max(0, ...ids.filter(Number.isFinite));
  const saved = root[key];
  return typeof saved === "number" && saved >= highest ? {} : { [key]: highest };
}

function inOrder<T extends { readonly id: NodeId | LinkId }>(items: T[], order: readonly T["id"][]): T[] {
  const places = new Map(order.map((id, index) => [id, index]));
  const place = (item: T): number => places.get(item.id) ?? Number.MAX_SAFE_INTEGER;
  return [...items].sort((a, b) => place(a) - place(b));
}

function writeNode(node: GraphNode, index: number): JsonObject {
  const saved = node.saved;
  const id = /^-?\d+$/.test(node.id) && typeof saved?.["id"] !== "string" ? Number(node.id) : node.id;
  if (!saved) {
    return {
      id,
      type: node.type,
      pos: [...node.pos],
      size: [...node.size],
      flags: flagsOf(node),
      order: index,
      mode: node.mode,
      ...(node.title === null ? {} : { title: node.title }),
      ...(node.color === null ? {} : { color: node.color }),
      properties: { "Node name for S&R": node.type },
    };
  }
  const flags = isObject(saved["flags"]) ? saved["flags"] : {};
  const flagsChanged =
    (flags["collapsed"] === true) !== node.collapsed ||
    (flags["pinned"] === true) !== node.pinned ||
    (flags["advanced"] === true) !== node.showsAdvanced;
  return {
    ...saved,
    id: saved["id"] !== undefined && String(saved["id"]) === node.id ? saved["id"] : id,
    ...(samePoint(saved["pos"], node.pos) ? {} : { pos: [...node.pos] }),
    ...(samePoint(saved["size"], node.size) ? {} : { size: [...node.size] }),
    ...((saved["mode"] ?? 0) === node.mode ? {} : { mode: node.mode }),
    ...((saved["title"] ?? null) === node.title ? {} : { title: node.title ?? undefined }),
    // The colour of the body goes with that of the title.
    ...((saved["color"] ?? null) === node.color ? {} : { color: node.color ?? undefined, bgcolor: undefined }),
    ...(flagsChanged
      ? { flags: { ...flags, collapsed: undefined, pinned: undefined, advanced: undefined, ...flagsOf(node) } }
      : {}),
  };
}

function flagsOf(node: GraphNode): JsonObject {
  return {
    ...(node.collapsed ? { collapsed: true } : {}),
    ...(node.pinned ? { pinned: true } : {}),
    ...(node.showsAdvanced ? { advanced: true } : {}),
  };
}

function samePoint(saved: Json | undefined, [x, y]: readonly [number, number]): boolean {
  if (isArray(saved)) return saved[0] === x && saved[1] === y;
  return isObject(saved) && saved["0"] === x && saved["1"] === y;
}

function writeInputs(
  node: GraphNode,
  sockets: Sockets,
  linkOf: ReadonlyMap<string, Link>,
): { names: string[]; field: JsonObject } {
  const linkAt = (name: string): Link | undefined => linkOf.get(`${node.id}\u0000${name}`);
  const kept = node.inputs.map((input): JsonObject => {
    const link = linkAt(input.name)?.id ?? null;
    const saved = input.saved ?? { name: input.name, type: input.type };
    return (saved["link"] ?? null) === link ? saved : { ...saved, link };
  });
  const names = node.inputs.map((input) => input.name);
  const listed = new Set(names);
  const added = sockets.inputs.filter((socket) => !listed.has(socket.name) && (!node.saved || linkAt(socket.name)));
  for (const socket of added) {
    names.push(socket.name);
    kept.push({
      name: socket.name,
      type: socket.type,
      ...(socket.required ? {} : { shape: 7 }),
      ...(socket.widget === null ? {} : { widget: { name: socket.widget } }),
      link: linkAt(socket.name)?.id ?? null,
    });
  }
  return {
    names,
    field: kept.length === 0 && node.saved && node.saved["inputs"] === undefined ? {} : { inputs: kept },
  };
}

function writeOutputs(node: GraphNode, sockets: Sockets, links: readonly Link[]): JsonObject {
  const written = sockets.outputs.map((socket, index): JsonObject | null => {
    const output = node.outputs[index];
    const ids = links.filter((link) => link.output === index).map((link) => link.id);
    if (!output?.saved) {
      if (node.saved && ids.length === 0) return null;
      return { name: socket.name, type: socket.type, links: ids };
    }
    const before = isArray(output.saved["links"]) ? output.saved["links"] : [];
    const same = before.length === ids.length && ids.every((id) => before.includes(id));
    return same ? output.saved : { ...output.saved, links: ids };
  });
  while (written.length > 0 && written.at(-1) === null) written.pop();
  if (written.length === 0 && node.saved && node.saved["outputs"] === undefined) return {};
  return { outputs: written.map((output, index) => output ?? { ...sockets.outputs[index], links: [] }) };
}

function writeValues(node: GraphNode, document: WorkflowDocument, definitions: Definitions): JsonObject {
  if (node.saved && Object.keys(node.values).length === 0) return {};
  const definition = definitionOf(document, definitions, node);
  if (!definition)
    return Object.keys(node.values).length === 0 ? {} : { widgets_values_named: { ...node.named, ...node.values } };
  const { entries, values } = widgetsOf(node, definition);
  // What the definition does not know stays in the file, except that the named values are complete.
  return {
    widgets_values: entries.map((entry) => values[entry.key] ?? null),
    widgets_values_named: { ...node.named, ...values },
  };
}

function writeLink(link: Link, inputs: readonly string[]): Json {
  const index = Math.max(0, inputs.indexOf(link.input));
  const fileId = (id: NodeId): Json => (/^-?\d+$/.test(id) ? Number(id) : id);
  const fresh: Json = [link.id, fileId(link.source), link.output, fileId(link.target), index, link.type];
  if (isArray(link.saved)) {
    const [, source, output, target, savedIndex] = link.saved;
    const sameEnds = String(source) === link.source && output === link.output && String(target) === link.target;
    // A saved index may be stale; it is corrected only when something else about the node changed it.
    return sameEnds && (savedIndex === index || inputs.indexOf(link.input) < 0)
      ? link.saved
      : [...fresh.slice(0, 5), link.saved[5] ?? link.type, ...link.saved.slice(6)];
  }
  if (isObject(link.saved)) {
    const ends: JsonObject = {
      origin_id: fileId(link.source),
      origin_slot: link.output,
      target_id: fileId(link.target),
      target_slot: index,
    };
    const { parentId: _, ...rest } = link.saved;
    return { ...rest, ...ends, ...(link.via === null ? {} : { parentId: link.via }) };
  }
  return fresh;
}

function writeGroup(group: Group): JsonObject {
  const saved = group.saved ?? {};
  return {
    ...saved,
    ...(saved["title"] === undefined && group.title === "Group" ? {} : { title: group.title }),
    ...(sameJson(saved["bounding"], group.bounding) ? {} : { bounding: [...group.bounding] }),
    ...((saved["color"] ?? null) === group.color ? {} : { color: group.color ?? undefined }),
  };
}
