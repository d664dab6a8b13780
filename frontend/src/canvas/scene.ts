/** The document as it stands on the canvas: boxes and link curves. Derived; boxes of unchanged nodes are kept. */
import {
  type GraphNode,
  type Link,
  type LinkId,
  type NodeId,
  type WorkflowDocument,
  linksOf,
  nodesOf,
} from "../graph/document.ts";
import type { Definitions, NodeDefinition } from "../graph/definitions.ts";
import { definitionOf, linkedInputs, socketsOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { type Curve, makeCurve } from "./curves.ts";
import { type NodeBox, placeNode, type Shown } from "./geometry.ts";
import { SpatialGrid } from "./spatial.ts";
import type { Rect } from "./viewport.ts";

export interface Scene {
  readonly document: WorkflowDocument;
  readonly boxes: ReadonlyMap<NodeId, NodeBox>;
  readonly links: readonly Link[];
  readonly linked: ReadonlyMap<NodeId, ReadonlySet<string>>;
  readonly index: SceneIndex;
}

const NO_INPUTS: ReadonlySet<string> = new Set();
const NO_OUTPUTS: ReadonlySet<number> = new Set();
/** How far sockets reach beyond their node. */
const REACH = 11;

interface Known {
  readonly definition: NodeDefinition | undefined;
  readonly key: string;
  readonly box: NodeBox;
}

interface KnownCurve {
  readonly source: NodeBox | undefined;
  readonly target: NodeBox | undefined;
  readonly reroutes: WorkflowDocument["reroutes"];
  readonly curve: Curve | null;
}

/** Makes scenes, remembering the box of each node and the curve of each link while nothing that they show changes. */
export class SceneBuilder {
  private readonly known = new WeakMap<GraphNode, Known>();
  private readonly curves = new WeakMap<Link, KnownCurve>();

  build(document: WorkflowDocument, definitions: Definitions, shownOf: (id: NodeId) => Shown): Scene {
    const linked = linkedInputs(document) as ReadonlyMap<NodeId, ReadonlySet<string>>;
    const boxes = new Map<NodeId, NodeBox>();
    for (const node of nodesOf(document)) {
      const names = linked.get(node.id) ?? NO_INPUTS;
      const definition = definitionOf(document, definitions, node);
      boxes.set(node.id, this.boxOf(node, definition, names, shownOf(node.id)));
    }
    const links = linksOf(document);
    const index = new SceneIndex(boxes, links, (link) => this.curveOf(boxes, document.reroutes, link));
    return { document, boxes, links, linked, index };
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
    const box = placeNode(node, socketsOf(node, definition, linked), widgetsOf(node, definition), shown, linked);
    this.known.set(node, { definition, key, box });
    return box;
  }

  private curveOf(boxes: Scene["boxes"], reroutes: WorkflowDocument["reroutes"], link: Link): Curve | null {
    const [source, target] = [boxes.get(link.source), boxes.get(link.target)];
    const known = this.curves.get(link);
    const isSame = known && known.source === source && known.target === target && known.reroutes === reroutes;
    if (isSame) return known.curve;
    const curve = makeCurve((id) => boxes.get(id), reroutes, link);
    this.curves.set(link, { source, target, reroutes, curve });
    return curve;
  }
}

/** What is where in a scene. Each part is made when it is first asked for. */
export class SceneIndex {
  private readonly boxes: Scene["boxes"];
  private readonly links: readonly Link[];
  private readonly makeCurve: (link: Link) => Curve | null;
  private nodeGrid: SpatialGrid<NodeId> | null = null;
  private linkGrid: SpatialGrid<Curve> | null = null;
  private outputs: ReadonlyMap<NodeId, ReadonlySet<number>> | null = null;
  private joined: ReadonlyMap<NodeId, readonly Link[]> | null = null;
  private ranks: ReadonlyMap<LinkId, number> | null = null;

  constructor(boxes: Scene["boxes"], links: readonly Link[], makeCurve: (link: Link) => Curve | null) {
    this.boxes = boxes;
    this.links = links;
    this.makeCurve = makeCurve;
  }

  curve(link: Link): Curve | null {
    return this.makeCurve(link);
  }

  /** Nodes that a rectangle of the world touches, with their sockets. */
  nodesIn(rect: Rect): ReadonlySet<NodeId> {
    if (!this.nodeGrid) {
      this.nodeGrid = new SpatialGrid();
      for (const {
        id,
        rect: { x, y, width, height },
      } of this.boxes.values())
        this.nodeGrid.add(id, { x: x - REACH, y, width: width + 2 * REACH, height });
    }
    return this.nodeGrid.query(rect);
  }

  /** Curves of links that may touch a rectangle of the world, in the document's order. */
  curvesIn(rect: Rect): readonly Curve[] {
    if (!this.linkGrid) {
      this.linkGrid = new SpatialGrid();
      for (const link of this.links) {
        const curve = this.makeCurve(link);
        if (curve) this.linkGrid.add(curve, curve.bounds);
      }
    }
    const ranks = (this.ranks ??= new Map(this.links.map((link, rank) => [link.id, rank])));
    const rankOf = ({ link }: Curve): number => ranks.get(link.id) ?? 0;
    return [...this.linkGrid.query(rect)].sort((a, b) => rankOf(a) - rankOf(b));
  }

  /** The outputs of a node that links leave. */
  outputsLinked(id: NodeId): ReadonlySet<number> {
    if (!this.outputs) {
      const outputs = new Map<NodeId, Set<number>>();
      for (const { source, output } of this.links) {
        const known = outputs.get(source);
        if (known) known.add(output);
        else outputs.set(source, new Set([output]));
      }
      this.outputs = outputs;
    }
    return this.outputs.get(id) ?? NO_OUTPUTS;
  }

  /** The links that begin or end at any of these nodes. */
  linksAt(ids: Iterable<NodeId>): ReadonlySet<Link> {
    if (!this.joined) {
      const joined = new Map<NodeId, Link[]>();
      for (const link of this.links) {
        for (const id of [link.source, link.target]) {
          const known = joined.get(id);
          if (known) known.push(link);
          else joined.set(id, [link]);
        }
      }
      this.joined = joined;
    }
    const found = new Set<Link>();
    for (const id of ids) for (const link of this.joined.get(id) ?? []) found.add(link);
    return found;
  }
}

export function curveOf(scene: Scene, link: Link): Curve | null {
  return scene.index.curve(link);
}
