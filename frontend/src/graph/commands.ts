/** What a person can do to a document. Each command is a change that history.ts turns into patches. */
import type { Draft } from "mutative";
import {
  type GraphNode,
  type Group,
  type Link,
  type Mode,
  type Network,
  type NodeId,
  type Point,
  type Reroute,
  type RerouteId,
  type WorkflowDocument,
  linkId,
  linksOf,
  nodeId,
  reroutesOf,
} from "./document.ts";
import type { Change } from "./history.ts";
import { type Json, sameJson } from "./json.ts";
import { typesFit } from "./types.ts";

/** A draft's fields are writable; this is the one place where the editor forgets `readonly`. */
type Writable = {
  nodes: Record<NodeId, GraphNode>;
  links: Record<number, Link>;
  reroutes: Record<number, Reroute>;
  groups: Group[];
};

export const writable = (draft: Draft<WorkflowDocument>): Writable => draft as unknown as Writable;

export function nextNodeId(document: WorkflowDocument): NodeId {
  const saved = Number(document.saved?.["last_node_id"] ?? 0);
  const highest = Object.keys(document.nodes).reduce((most, id) => Math.max(most, Number(id) || 0), saved || 0);
  return nodeId(highest + 1);
}

export function nextLinkId(document: WorkflowDocument): number {
  const saved = Number(document.saved?.["last_link_id"] ?? 0);
  return linksOf(document).reduce((most, link) => Math.max(most, link.id), saved || 0) + 1;
}

export function newNode(id: NodeId, type: string, pos: Point, size: Point): GraphNode {
  return {
    id,
    type,
    title: null,
    pos,
    size,
    mode: 0,
    collapsed: false,
    pinned: false,
    showsAdvanced: false,
    color: null,
    inputs: [],
    outputs: [],
    values: {},
    named: null,
    saved: null,
  };
}

export interface LinkEnds {
  readonly source: NodeId;
  readonly output: number;
  readonly target: NodeId;
  readonly input: string;
  readonly type: string;
  /** The last point that it passes; straight without. */
  readonly via?: RerouteId | null;
}

/** Adds nodes and links among them with their points; with `connect`, also links to what is there. */
export function addNodes(
  nodes: readonly GraphNode[],
  links: readonly LinkEnds[] = [],
  reroutes: readonly Reroute[] = [],
): Change {
  return {
    label: nodes.length === 1 ? "add node" : "add nodes",
    recipe: (draft) => {
      const document = writable(draft);
      for (const node of nodes) document.nodes[node.id] = node;
      for (const ends of links) putLink(draft, ends);
      // A point that no link passes yet would be taken away with the next link.
      for (const reroute of reroutes) document.reroutes[reroute.id] = reroute;
      dropUnusedReroutes(draft);
    },
  };
}

export function connect(ends: LinkEnds, replaced?: Link): Change {
  return {
    label: "connect",
    recipe: (draft) => {
      if (replaced) delete writable(draft).links[replaced.id];
      putLink(draft, ends);
    },
  };
}

/** Invariant: both ends are there, and an input has one link. */
function putLink(draft: Draft<WorkflowDocument>, ends: LinkEnds): void {
  const document = writable(draft);
  if (!(ends.source in document.nodes) || !(ends.target in document.nodes)) return;
  const id = linkId(nextLinkId(draft as unknown as WorkflowDocument));
  for (const link of Object.values(document.links)) {
    if (link.target === ends.target && link.input === ends.input) delete document.links[link.id];
  }
  document.links[id] = { ...ends, id, via: ends.via ?? null, saved: null };
  dropUnusedReroutes(draft);
}

export function disconnect(links: readonly Link[]): Change {
  return {
    label: "disconnect",
    recipe: (draft) => {
      for (const link of links) delete writable(draft).links[link.id];
      dropUnusedReroutes(draft);
    },
  };
}

/** A point that no link passes any more goes; a file's floating end stays. */
export function dropUnusedReroutes(draft: Draft<WorkflowDocument>): void {
  const document = draft as unknown as WorkflowDocument;
  const ids = Object.keys(document.reroutes);
  if (ids.length === 0) return;
  const used = new Set(linksOf(document).flatMap((link) => reroutesOf(document, link).map((reroute) => reroute.id)));
  for (const reroute of Object.values(document.reroutes)) {
    if (!used.has(reroute.id) && reroute.saved?.["floating"] === undefined) delete writable(draft).reroutes[reroute.id];
  }
}

/**
 * Removes nodes. Where an input and an output of a removed node were of one type, the link goes on without it, unless
 * `keepThrough` is false.
 */
export function removeNodes(network: Network, ids: ReadonlySet<NodeId>, keepThrough = true): Change {
  return {
    label: ids.size === 1 ? "delete node" : "delete nodes",
    recipe: (draft) => {
      const document = writable(draft);
      if (keepThrough) for (const ends of bridges(network, ids)) putLink(draft, ends);
      for (const link of Object.values(document.links)) {
        if (ids.has(link.source) || ids.has(link.target)) delete document.links[link.id];
      }
      for (const id of ids) delete document.nodes[id];
      dropUnusedReroutes(draft);
    },
  };
}

function bridges(network: Network, removed: ReadonlySet<NodeId>): LinkEnds[] {
  const links = linksOf(network);
  const sourceOf = (link: Link, seen: ReadonlySet<NodeId>): Link | undefined => {
    if (!removed.has(link.source)) return link;
    if (seen.has(link.source)) return undefined;
    const entering = links.filter((candidate) => candidate.target === link.source);
    const through = entering.find((candidate) => candidate.type === link.type && typesFit(candidate.type, link.type));
    return through && sourceOf(through, new Set([...seen, link.source]));
  };
  return links.flatMap((link) => {
    if (!removed.has(link.source) || removed.has(link.target)) return [];
    const origin = sourceOf(link, new Set());
    if (!origin) return [];
    return [{ source: origin.source, output: origin.output, target: link.target, input: link.input, type: link.type }];
  });
}

export function moveNodes(positions: ReadonlyMap<NodeId, Point>, label = "move"): Change {
  return {
    label,
    recipe: (draft) => {
      const { nodes } = writable(draft);
      for (const [id, pos] of positions) edit(nodes, id, { pos });
    },
  };
}

export function resizeNode(id: NodeId, size: Point): Change {
  return { label: "resize", gesture: `resize ${id}`, recipe: (draft) => edit(writable(draft).nodes, id, { size }) };
}

export function setValue(id: NodeId, widget: string, value: Json): Change {
  return {
    label: `set ${widget}`,
    gesture: `set ${id} ${widget}`,
    recipe: (draft) => {
      const { nodes } = writable(draft);
      const node = nodes[id];
      if (node && !sameJson(node.values[widget], value))
        edit(nodes, id, { values: { ...node.values, [widget]: value } });
    },
  };
}

export function rename(id: NodeId, title: string): Change {
  const trimmed = title.trim();
  return {
    label: "rename",
    recipe: (draft) => edit(writable(draft).nodes, id, { title: trimmed === "" ? null : trimmed }),
  };
}

export function setModes(ids: Iterable<NodeId>, mode: Mode, label: string): Change {
  return {
    label,
    recipe: (draft) => {
      for (const id of ids) edit(writable(draft).nodes, id, { mode });
    },
  };
}

export function setCollapsed(ids: Iterable<NodeId>, collapsed: boolean): Change {
  return {
    label: collapsed ? "collapse" : "expand",
    recipe: (draft) => {
      for (const id of ids) edit(writable(draft).nodes, id, { collapsed });
    },
  };
}

export function setPinned(ids: Iterable<NodeId>, pinned: boolean): Change {
  return {
    label: pinned ? "pin" : "unpin",
    recipe: (draft) => {
      for (const id of ids) edit(writable(draft).nodes, id, { pinned });
    },
  };
}

export function setShowsAdvanced(ids: Iterable<NodeId>, showsAdvanced: boolean): Change {
  return {
    label: showsAdvanced ? "show advanced inputs" : "hide advanced inputs",
    recipe: (draft) => {
      for (const id of ids) edit(writable(draft).nodes, id, { showsAdvanced });
    },
  };
}

/** Null is the colour of the node's type. */
export function setColor(ids: Iterable<NodeId>, color: string | null): Change {
  return {
    label: "colour",
    recipe: (draft) => {
      for (const id of ids) edit(writable(draft).nodes, id, { color });
    },
  };
}

function edit(nodes: Record<NodeId, GraphNode>, id: NodeId, fields: Partial<GraphNode>): void {
  const node = nodes[id];
  if (node) Object.assign(node, fields);
}

/** All of the document becomes another one. */
export function replaceDocument(document: WorkflowDocument, label: string): Change {
  return { label, recipe: (draft) => void Object.assign(draft, document) };
}
