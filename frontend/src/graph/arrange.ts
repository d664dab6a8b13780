/** Automatic layout, left to right along the links: for prompts, which have no positions, and on request. */
import { graphlib, layout } from "@dagrejs/dagre";
import { type Network, type NodeId, type Point, linksOf, nodesOf } from "./document.ts";

const BETWEEN_COLUMNS = 60;
const BETWEEN_ROWS = 50;
const TITLE = 30;

/** Positions of all nodes. `sizeOf` gives a body's size; the title bar stands above it. */
export function arrange(network: Network, sizeOf: (id: NodeId) => Point): Map<NodeId, Point> {
  const graph = new graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: BETWEEN_ROWS, ranksep: BETWEEN_COLUMNS, marginx: 40, marginy: 40 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodesOf(network)) {
    const [width, height] = sizeOf(node.id);
    graph.setNode(node.id, { width, height: height + TITLE });
  }
  for (const link of linksOf(network)) {
    if (graph.hasNode(link.source) && graph.hasNode(link.target)) graph.setEdge(link.source, link.target);
  }
  layout(graph);
  return new Map(
    nodesOf(network).map((node): [NodeId, Point] => {
      const [width, height] = sizeOf(node.id);
      const { x = 0, y = 0 } = graph.node(node.id) as { x?: number; y?: number };
      return [node.id, [Math.round(x - width / 2), Math.round(y - (height + TITLE) / 2 + TITLE)]];
    }),
  );
}
