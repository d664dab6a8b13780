/** A selection as text for the system's clipboard, and back: nodes with their links, as a small workflow file. */
import { type GraphNode, type NodeId, type Point, type WorkflowDocument, linksOf, nodeId } from "./document.ts";
import { type LinkEnds, nextNodeId } from "./commands.ts";
import type { Definitions } from "./definitions.ts";
import { asNumber, asString, isArray, isObject, type Json, writeJson } from "./json.ts";
import { readWorkflow } from "./read_workflow.ts";
import { writeWorkflow } from "./write_workflow.ts";

const MARK = "heddle_selection";
const INCOMING = "heddle_incoming";

/**
 * The chosen part of the document as a workflow of its own. Links from outside stand beside it, for a paste that is to
 * have them too.
 */
export function copyNodes(document: WorkflowDocument, ids: ReadonlySet<NodeId>, definitions: Definitions): string {
  const part: WorkflowDocument = {
    ...document,
    nodes: Object.fromEntries(Object.entries(document.nodes).filter(([id]) => ids.has(nodeId(id)))),
    links: Object.fromEntries(
      Object.entries(document.links).filter(([, link]) => ids.has(link.source) && ids.has(link.target)),
    ),
    groups: [],
    reroutes: {},
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
  const links = linksOf(source).flatMap((link): LinkEnds[] => {
    const from = ids.get(link.source);
    const to = ids.get(link.target);
    if (!from || !to) return [];
    return [{ source: from, output: link.output, target: to, input: link.input, type: link.type }];
  });
  return { nodes, links: withIncoming ? [...links, ...incomingLinks(document, copied, ids)] : links };
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
