/** Automatic layout, left to right along the links: for prompts, which have no positions, and on request. */
import { graphlib, layout } from "@dagrejs/dagre";
import type { NodeId, Point } from "./document.ts";

const BETWEEN_COLUMNS = 60;
const BETWEEN_ROWS = 50;
const TITLE = 30;

/** What the layout needs to know; plain data, as it goes to a worker. Sizes are of bodies, without title bars. */
export interface Plan {
  readonly sizes: readonly (readonly [NodeId, Point])[];
  readonly links: readonly (readonly [source: NodeId, target: NodeId])[];
}

export type Positions = readonly (readonly [NodeId, Point])[];

export function arrange({ sizes, links }: Plan): Positions {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: BETWEEN_ROWS, ranksep: BETWEEN_COLUMNS, marginx: 40, marginy: 40 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const [id, [width, height]] of sizes) graph.setNode(id, { width, height: height + TITLE });
  for (const [source, target] of links) {
    if (graph.hasNode(source) && graph.hasNode(target)) graph.setEdge(source, target);
  }
  layout(graph);
  return sizes.map(([id, [width, height]]) => {
    const { x = 0, y = 0 } = graph.node(id) as { x?: number; y?: number };
    return [id, [Math.round(x - width / 2), Math.round(y - (height + TITLE) / 2 + TITLE)]];
  });
}
