/** The document as it stands on the canvas: boxes and link curves. Derived; boxes of unchanged nodes are kept. */
import {
  type GraphNode,
  type Link,
  type NodeId,
  type Point,
  type WorkflowDocument,
  linksOf,
  nodesOf,
  reroutesOf,
} from "../graph/document.ts";
import type { Definitions, NodeDefinition } from "../graph/definitions.ts";
import { definitionOf, linkedInputs, socketsOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { type NodeBox, placeNode, type Shown } from "./geometry.ts";

/** A link as it is drawn: from its output over its reroutes to its input. */
export interface Curve {
  readonly link: Link;
  readonly points: readonly Point[];
}

export interface Scene {
  readonly document: WorkflowDocument;
  readonly boxes: ReadonlyMap<NodeId, NodeBox>;
  readonly links: readonly Link[];
  readonly linked: ReadonlyMap<NodeId, ReadonlySet<string>>;
}

const NO_INPUTS: ReadonlySet<string> = new Set();

interface Known {
  readonly definition: NodeDefinition | undefined;
  readonly key: string;
  readonly box: NodeBox;
}

/** Makes scenes, remembering the box of each node for as long as nothing that it shows changes. */
export class SceneBuilder {
  private readonly known = new WeakMap<GraphNode, Known>();

  build(document: WorkflowDocument, definitions: Definitions, shownOf: (id: NodeId) => Shown): Scene {
    const linked = linkedInputs(document) as ReadonlyMap<NodeId, ReadonlySet<string>>;
    const boxes = new Map<NodeId, NodeBox>();
    for (const node of nodesOf(document)) {
      const names = linked.get(node.id) ?? NO_INPUTS;
      const definition = definitionOf(document, definitions, node);
      boxes.set(node.id, this.boxOf(node, definition, names, shownOf(node.id)));
    }
    return { document, boxes, links: linksOf(document), linked };
  }

  private boxOf(
    node: GraphNode,
    definition: NodeDefinition | undefined,
    linked: ReadonlySet<string>,
    shown: Shown,
  ): NodeBox {
    const key = `${[...linked].join("\u0000")}|${shown.hasPicture}|${shown.hasText}`;
    const known = this.known.get(node);
    if (known && known.definition === definition && known.key === key) return known.box;
    const box = placeNode(node, socketsOf(node, definition, linked), widgetsOf(node, definition), shown);
    this.known.set(node, { definition, key, box });
    return box;
  }
}

export function curveOf(scene: Scene, link: Link): Curve | null {
  const source = scene.boxes.get(link.source);
  const target = scene.boxes.get(link.target);
  if (!source || !target) return null;
  const output = source.outputs[link.output];
  const input = target.inputs.find((placed) => placed.socket.name === link.input);
  const from: Point = output
    ? [source.rect.x + output.x, source.rect.y + source.title + output.y]
    : [source.rect.x + source.width, source.rect.y + source.title];
  const to: Point = input
    ? [target.rect.x + input.x, target.rect.y + target.title + input.y]
    : [target.rect.x, target.rect.y + target.title];
  if (link.via === null) return { link, points: [from, to] };
  return { link, points: [from, ...reroutesOf(scene.document, link).map((reroute) => reroute.pos), to] };
}

/** The parts of a curve, each from one point to the next. */
export function partsOf({ points }: Curve): readonly (readonly [from: Point, to: Point])[] {
  return points.slice(1).map((to, index) => [points[index] ?? to, to]);
}

/** How far the curve's control points stand from its ends, horizontally. */
export function bend([fromX, fromY]: Point, [toX, toY]: Point): number {
  const across = Math.abs(toX - fromX);
  return Math.min(160, Math.max(24, across * 0.5, Math.hypot(across, toY - fromY) * 0.25));
}

/** The point at `t` of the link's cubic curve. */
export function pointOn(from: Point, to: Point, t: number): Point {
  const reach = bend(from, to);
  const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
  return [
    a * from[0] + b * (from[0] + reach) + c * (to[0] - reach) + d * to[0],
    a * from[1] + b * from[1] + c * to[1] + d * to[1],
  ];
}
