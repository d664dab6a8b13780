/** A selection as text for the system's clipboard, and back: nodes with their links, as a small workflow file. */
import {
  type GraphNode,
  type NodeId,
  type Point,
  type Reroute,
  type RerouteId,
  type WorkflowDocument,
  linksOf,
  nodeId,
  rerouteId,
  reroutesOf,
} from "./document.ts";
import { type LinkEnds, nextNodeId } from "./commands.ts";
import type { Definitions } from "./definitions.ts";
import { asNumber, asString, isArray, isObject, type Json, writeJson } from "./json.ts";
import { nextRerouteId } from "./place_commands.ts";
import { readWorkflow } from "./read_workflow.ts";
import { writeWorkflow } from "./write_workflow.ts";

const MARK = "heddle_selection";
const INCOMING = "heddle_incoming";

/**
 * The chosen part of the document as a workflow of its own. Links from outside stand beside it, for a paste that is to
 * have them too.
 */
export function copyNodes(document: WorkflowDocument, ids: ReadonlySet<NodeId>, definitions: Definitions): string {
  const inside = linksOf(document).filter((link) => ids.has(link.source) && ids.has(link.target));
  const passed = inside.flatMap((link) => reroutesOf(document, link));
  const part: WorkflowDocument = {
    ...document,
    nodes: Object.fromEntries(Object.entries(document.nodes).filter(([id]) => ids.has(nodeId(id)))),
    links: Object.fromEntries(inside.map((link) => [link.id, link])),
    groups: [],
    reroutes: Object.fromEntries(passed.map((reroute) => [reroute.id, reroute])),
  };
  const incoming = linksOf(document)
    .filter((link) => ids.has(link.target) && !ids.has(link.source))
    .map(({ source, output, target, input, type }) => ({ source, output, target, input, type }));
  return writeJson({ ...writeWorkflow(part, definitions), [MARK]: true, [INCOMING]: incoming });
}

/** Whether this is a copied part, to be added, rather than a workflow, to be opened. */
export function isCopiedNodes(raw: Json): boolean {
  return isObject(raw) && raw[MARK] === true;
}

export interface Pasted {
  readonly nodes: readonly GraphNode[];
  readonly links: readonly LinkEnds[];
  /** The points that the links among these nodes pass. */
  readonly reroutes: readonly Reroute[];
}

/**
 * Nodes and links of a copied workflow, with new ids, their upper left corner at `at`. With `withIncoming`, the inputs
 * that were linked from outside are linked to the same nodes, as far as the document has them.
 */
export function pasteNodes(document: WorkflowDocument, copied: Json, at: Point, withIncoming = false): Pasted {
  const source = readWorkflow(copied);
  const originals = Object.values(source.nodes);
  const left = Math.min(...originals.map((node) => node.pos[0]));
  const top = Math.min(...originals.map((node) => node.pos[1]));
  const first = Number(nextNodeId(document));
  const ids = new Map(originals.map((node, index) => [node.id, nodeId(first + index)]));
  const nodes = originals.map((node): GraphNode => {
    const id = ids.get(node.id) ?? node.id;
    const pos: Point = [at[0] + node.pos[0] - left, at[1] + node.pos[1] - top];
    return { ...node, id, pos, saved: node.saved && { ...node.saved, id: Number(id) } };
  });
  const firstPoint = Number(nextRerouteId(document));
  const points = Object.values(source.reroutes);
  const pointIds = new Map(points.map((reroute, index) => [reroute.id, rerouteId(firstPoint + index)]));
  const pointOf = (id: RerouteId | null): RerouteId | null => (id === null ? null : (pointIds.get(id) ?? null));
  const reroutes = points.map(({ id, parent, pos }): Reroute => ({
    id: pointOf(id) ?? id,
    parent: pointOf(parent),
    pos: [at[0] + pos[0] - left, at[1] + pos[1] - top],
    saved: null,
  }));
  const links = linksOf(source).flatMap((link): LinkEnds[] => {
    const from = ids.get(link.source);
    const to = ids.get(link.target);
    if (!from || !to) return [];
    const { output, input, type } = link;
    return [{ source: from, output, target: to, input, type, via: pointOf(link.via) }];
  });
  return { nodes, reroutes, links: withIncoming ? [...links, ...incomingLinks(document, copied, ids)] : links };
}

function incomingLinks(document: WorkflowDocument, copied: Json, ids: ReadonlyMap<NodeId, NodeId>): LinkEnds[] {
  const raw = isObject(copied) && isArray(copied[INCOMING]) ? copied[INCOMING] : [];
  return raw.filter(isObject).flatMap((ends): LinkEnds[] => {
    const source = nodeId(asString(ends["source"]) ?? "");
    const target = ids.get(nodeId(asString(ends["target"]) ?? ""));
    const input = asString(ends["input"]);
    const output = asNumber(ends["output"]);
    if (!(source in document.nodes) || target === undefined || input === null || output === null) return [];
    return [{ source, output, target, input, type: asString(ends["type"]) ?? "*" }];
  });
}
