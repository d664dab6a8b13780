/** What a drag moves and what its drop does: nodes, groups with what they hold, points of links; a node put into a link. */
import { type Insertion, insertionInto } from "../graph/connect.ts";
import { connect, dropUnusedReroutes } from "../graph/commands.ts";
import {
  type LinkId,
  linksOf,
  type NodeId,
  nodesOf,
  type Point,
  type RerouteId,
  reroutesOf,
} from "../graph/document.ts";
import type { Change } from "../graph/history.ts";
import {
  addReroute,
  type Bounding,
  contentOf,
  editGroup,
  movePlaces,
  moveReroute,
  nextRerouteId,
  NO_PLACES,
  type Places,
} from "../graph/place_commands.ts";
import { socketsOf } from "../graph/sockets.ts";
import type { Editor } from "../store/editor.ts";
import { linksAcross } from "./hit.ts";
import type { Grabbed } from "./pointer.ts";
import type { CanvasView } from "./view.ts";
import { toWorld } from "./viewport.ts";

/** Half the distance of the dots. */
export const SNAP = 12;
const SMALLEST_GROUP = 60;

export interface DragMove {
  readonly dx: number;
  readonly dy: number;
  readonly at: Point;
  readonly shift: boolean;
}

/** A drag that follows the pointer in the view, and changes the document when it ends. */
interface Carrying {
  readonly kind: "places";
  readonly places: Places;
  readonly anchor: Point;
}

/** A drag that changes the document all the while, as one step of undo. */
interface Shaping {
  readonly kind: "corner" | "reroute";
  readonly apply: (move: DragMove) => Change;
}

export class Dragging {
  private readonly editor: Editor;
  private readonly view: CanvasView;
  private held: Carrying | Shaping | null = null;
  private insertion: Insertion | null = null;

  constructor(editor: Editor, view: CanvasView) {
    this.editor = editor;
    this.view = view;
  }

  grab(what: Grabbed): void {
    this.editor.endGesture();
    this.held = this.holdingOf(what);
  }

  private holdingOf(what: Grabbed): Carrying | Shaping {
    const { editor, view } = this;
    const { document } = editor;
    switch (what.kind) {
      case "nodes":
        return this.carry(nodePlaces(editor, editor.selection));
      case "reroute":
        return this.carry({ ...NO_PLACES, reroutes: new Set([what.id]) });
      case "group": {
        editor.selectGroup(what.index);
        if (what.isCorner) return this.shapeGroup(what.index);
        const groups = new Set([what.index]);
        if (what.isAlone) return this.carry({ ...NO_PLACES, groups });
        const content = contentOf(document, what.index, (id) => boundingOf(view, id));
        const nodes = new Set([...content.nodes].filter((id) => !editor.node(id)?.pinned));
        return this.carry({ ...content, nodes, groups: new Set([...groups, ...content.groups]) });
      }
      case "link": {
        const id = nextRerouteId(document);
        const start = toWorld(view.viewport, what.at);
        editor.do(addReroute(document, what.id, what.part, rounded(start)));
        return { kind: "reroute", apply: (move) => moveReroute(id, this.rerouteAt(start, move)) };
      }
    }
  }

  private carry(places: Places): Carrying {
    const { document } = this.editor;
    const [group] = places.groups;
    const [node] = places.nodes;
    const [reroute] = places.reroutes;
    const bounding = group === undefined ? undefined : document.groups[group]?.bounding;
    const anchor: Point | undefined = bounding
      ? [bounding[0], bounding[1]]
      : node !== undefined
        ? document.nodes[node]?.pos
        : reroute !== undefined
          ? document.reroutes[reroute]?.pos
          : undefined;
    return { kind: "places", places, anchor: anchor ?? [0, 0] };
  }

  private shapeGroup(index: number): Shaping {
    const [x, y, width, height] = this.editor.document.groups[index]?.bounding ?? [0, 0, 0, 0];
    return {
      kind: "corner",
      apply: (move) => {
        const [dx, dy] = this.shift([x + width, y + height], move);
        const size = [Math.max(SMALLEST_GROUP, width + dx), Math.max(SMALLEST_GROUP, height + dy)].map(Math.round);
        const bounding = [x, y, ...size] as unknown as Bounding;
        return editGroup(index, { bounding }, `resize group ${index}`);
      },
    };
  }

  private rerouteAt(start: Point, move: DragMove): Point {
    const [dx, dy] = this.shift(start, move);
    return rounded([start[0] + dx, start[1] + dy]);
  }

  /** How far, in the world; onto the grid when it is on. */
  private shift([x, y]: Point, { dx, dy, shift }: DragMove): Point {
    const { scale } = this.view.viewport;
    const moved: Point = [dx / scale, dy / scale];
    if (this.editor.ui.getState().isSnapping === shift) return moved;
    return [snapped(x + moved[0]) - x, snapped(y + moved[1]) - y];
  }

  move(move: DragMove): void {
    const { held, view, editor } = this;
    if (!held) return;
    if (held.kind !== "places") return editor.do(held.apply(move));
    const [dx, dy] = this.shift(held.anchor, move);
    view.setDrag({ places: held.places, dx, dy });
    this.insertion = this.insertionAt(held.places);
    view.mark(this.insertion ? [this.insertion.link] : []);
  }

  drop(move: DragMove): void {
    const { held, editor, view, insertion } = this;
    this.held = null;
    this.insertion = null;
    view.mark([]);
    if (!held) return;
    if (held.kind !== "places") {
      editor.do(held.apply(move));
      return editor.endGesture();
    }
    const change = movePlaces(held.places, ...this.shift(held.anchor, move));
    editor.do(insertion ? inserting(change, insertion) : change);
    view.setDrag(null);
  }

  cancel(): void {
    const { held, editor, view } = this;
    this.held = null;
    this.insertion = null;
    view.mark([]);
    view.setDrag(null);
    const last = editor.documents.getState().history.past.at(-1);
    // What was shaped so far is one step that goes on.
    if (held && held.kind !== "places" && last?.gesture) editor.undo();
  }

  /** The link that runs below the middle of the one node that is dragged, if the node can go into it. */
  private insertionAt({ nodes, groups }: Places): Insertion | null {
    const [id] = nodes;
    if (nodes.size !== 1 || id === undefined || groups.size > 0) return null;
    const { document } = this.editor;
    const { scene } = this.view;
    const rect = this.view.dragged(id)?.rect;
    const node = document.nodes[id];
    if (!rect || !node) return null;
    const x = rect.x + rect.width / 2;
    const sockets = socketsOf(node, this.editor.definitionOf(node), scene.linked.get(id));
    for (const link of linksAcross(scene, [x, rect.y], [x, rect.y + rect.height])) {
      const found = insertionInto(document, link, id, sockets);
      if (found) return found;
    }
    return null;
  }
}

function inserting(move: Change, { link, into, from }: Insertion): Change {
  return {
    label: "insert into link",
    recipe: (draft) => {
      move.recipe(draft);
      const replaced = draft.links[link];
      const via = replaced?.via ?? null;
      connect(into).recipe(draft);
      // The points of the link lead to the node that stands in it now.
      for (const fresh of Object.values(draft.links)) {
        if (fresh.target === into.target && fresh.input === into.input) Object.assign(fresh, { via });
      }
      connect(from).recipe(draft);
      dropUnusedReroutes(draft);
    },
  };
}

/** The nodes that may move, and the points of links that run among them only. */
export function nodePlaces(editor: Editor, ids: Iterable<NodeId>): Places {
  const { document } = editor;
  const nodes = new Set([...ids].filter((id) => editor.node(id) && !editor.node(id)?.pinned));
  const inside = new Set<RerouteId>();
  const outside = new Set<RerouteId>();
  for (const link of linksOf(document)) {
    const side = nodes.has(link.source) && nodes.has(link.target) ? inside : outside;
    for (const { id } of reroutesOf(document, link)) side.add(id);
  }
  const reroutes = new Set([...inside].filter((id) => !outside.has(id)));
  return { nodes, groups: new Set(), reroutes };
}

export function boundingOf(view: CanvasView, id: NodeId): Bounding | undefined {
  const rect = view.scene.boxes.get(id)?.rect;
  return rect && [rect.x, rect.y, rect.width, rect.height];
}

/** What is deleted by a stroke: links by id. */
export function linksNamed(editor: Editor, ids: ReadonlySet<LinkId>) {
  return linksOf(editor.document).filter((link) => ids.has(link.id));
}

export function nodesInGroup(editor: Editor, view: CanvasView, index: number): NodeId[] {
  const { nodes } = contentOf(editor.document, index, (id) => boundingOf(view, id));
  return nodesOf(editor.document).flatMap((node) => (nodes.has(node.id) ? [node.id] : []));
}

function snapped(value: number): number {
  return Math.round(value / SNAP) * SNAP;
}

function rounded([x, y]: Point): Point {
  return [Math.round(x), Math.round(y)];
}
