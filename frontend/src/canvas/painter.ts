/**
 * Paints the canvas as seldom as it can. What stands still is on a canvas that is larger than the window: while the
 * view moves, that canvas is shifted and stretched, and painted anew when it no longer reaches, or when the view has
 * come to rest. What follows the pointer is on a second one above it.
 */
import { create } from "mutative";
import { type Link, type LinkId, type NodeId, type Point, reroutesOf } from "../graph/document.ts";
import { movePlaces, type Places } from "../graph/place_commands.ts";
import type { NodeRun } from "../store/run_state.ts";
import { type Curve, makeCurve } from "./curves.ts";
import { drawGrid, drawGroups, drawLinks, drawReroutes } from "./draw.ts";
import { type DrawnNode, drawNodes } from "./draw_nodes.ts";
import type { NodeBox } from "./geometry.ts";
import type { Palette } from "./palette.ts";
import type { Scene } from "./scene.ts";
import { overlaps, type Rect, type Viewport } from "./viewport.ts";

/** What follows the pointer; the document moves only when it is dropped. */
export interface Drag {
  readonly places: Places;
  readonly dx: number;
  readonly dy: number;
}

/** All that the painting depends on besides the view. Each part is replaced when it changes. */
export interface Content {
  readonly scene: Scene;
  readonly order: readonly NodeId[];
  readonly selection: ReadonlySet<NodeId>;
  readonly group: number | null;
  readonly runs: { readonly [node: string]: NodeRun };
  readonly palette: Palette;
  readonly hiddenLinks: ReadonlySet<LinkId>;
  readonly marked: ReadonlySet<LinkId>;
  /** Not painted here since they follow the pointer. */
  readonly lifted: Places | null;
  /** Counts the changes of which nodes have a DOM body. */
  readonly bodies: number;
}

export interface Surroundings {
  readonly definitionOf: (node: DrawnNode["node"]) => DrawnNode["definition"];
  readonly hasBody: (id: NodeId) => boolean;
  /** Those that a node's body shows. */
  readonly picturesOf: (id: NodeId) => readonly HTMLImageElement[];
}

/** How far the canvas reaches beyond the window, in CSS pixels; canvas.css has it too. */
export const MARGIN = 192;
/** While the view moves, the picture may be stretched by so much. */
const MOST_STRETCH = 1.35;

export class Painter {
  private readonly base: HTMLCanvasElement;
  private readonly moving: HTMLCanvasElement;
  private readonly around: Surroundings;
  private size: Point = [0, 0];
  private painted: { readonly viewport: Viewport; readonly content: Content } | null = null;
  private isMovingClear = true;

  constructor(base: HTMLCanvasElement, moving: HTMLCanvasElement, around: Surroundings) {
    this.base = base;
    this.moving = moving;
    this.around = around;
  }

  resize([width, height]: Point, ratio: number): void {
    this.size = [width, height];
    this.base.width = Math.round((width + 2 * MARGIN) * ratio);
    this.base.height = Math.round((height + 2 * MARGIN) * ratio);
    this.moving.width = Math.round(width * ratio);
    this.moving.height = Math.round(height * ratio);
    this.painted = null;
  }

  show(viewport: Viewport, content: Content, isMoving: boolean): void {
    if (!this.canStand(viewport, content, isMoving)) this.paint(viewport, content);
    const { x, y, scale } = this.painted?.viewport ?? viewport;
    const stretch = viewport.scale / scale;
    const [left, top] = [viewport.x + MARGIN - stretch * (x + MARGIN), viewport.y + MARGIN - stretch * (y + MARGIN)];
    this.base.style.transform = `translate(${left}px, ${top}px) scale(${stretch})`;
  }

  /** Whether what is painted already will do. At rest it must be as sharp as if it were painted now. */
  private canStand(viewport: Viewport, content: Content, isMoving: boolean): boolean {
    const { painted } = this;
    if (!painted || !isSame(painted.content, content)) return false;
    const stretch = viewport.scale / painted.viewport.scale;
    const left = viewport.x - stretch * (painted.viewport.x + MARGIN);
    const top = viewport.y - stretch * (painted.viewport.y + MARGIN);
    const [width, height] = this.size;
    const reaches =
      left <= 0 &&
      top <= 0 &&
      left + stretch * (width + 2 * MARGIN) >= width &&
      top + stretch * (height + 2 * MARGIN) >= height;
    if (!reaches) return false;
    if (isMoving) return stretch < MOST_STRETCH && stretch > 1 / MOST_STRETCH;
    return stretch === 1 && Number.isInteger(left) && Number.isInteger(top);
  }

  private paint(viewport: Viewport, content: Content): void {
    const pen = this.base.getContext("2d", { alpha: false });
    if (!pen) return;
    const ratio = window.devicePixelRatio;
    const { scale } = viewport;
    const [x, y] = [viewport.x + MARGIN, viewport.y + MARGIN];
    const [width, height] = [this.size[0] + 2 * MARGIN, this.size[1] + 2 * MARGIN];
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawGrid(pen, { x, y, scale }, width, height, content.palette);
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    const visible: Rect = { x: -x / scale, y: -y / scale, width: width / scale, height: height / scale };
    const { scene, palette, lifted, selection } = content;
    drawGroups(pen, scene.document.groups, content.group, palette, (index) => !lifted?.groups.has(index));
    const leave = lifted ? liftedLinks(scene, lifted) : NO_LINKS;
    const curves = scene.index
      .curvesIn(visible)
      .filter(({ link }) => !content.hiddenLinks.has(link.id) && !leave.has(link));
    drawLinks(pen, curves, palette, { marked: content.marked, selection, scale });
    drawReroutes(pen, curves, scene.document.reroutes, palette, scale);
    const inView = scene.index.nodesIn(visible);
    const ids = content.order.filter((id) => inView.has(id) && !lifted?.nodes.has(id) && !this.around.hasBody(id));
    drawNodes(pen, this.drawn(ids, content, scene.boxes), palette, scale);
    this.painted = { viewport, content };
  }

  /** What follows the pointer, where the pointer has it; null takes it away. */
  showMoving(viewport: Viewport, content: Content, drag: Drag | null): void {
    if (!drag && this.isMovingClear) return;
    const pen = this.moving.getContext("2d");
    if (!pen) return;
    const ratio = window.devicePixelRatio;
    const { x, y, scale } = viewport;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, this.moving.width, this.moving.height);
    this.isMovingClear = drag === null;
    if (!drag) return;
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    const { scene, palette, selection } = content;
    const { places } = drag;
    const { groups, reroutes } = movedDocument(scene, drag);
    drawGroups(pen, groups, content.group, palette, (index) => places.groups.has(index));
    const boxes = movedBoxes(scene, drag);
    const boxOf = (id: NodeId): NodeBox | undefined => boxes.get(id) ?? scene.boxes.get(id);
    const curves: Curve[] = [];
    for (const link of liftedLinks(scene, places)) {
      const curve = makeCurve(boxOf, reroutes, link);
      if (curve) curves.push(curve);
    }
    drawLinks(pen, curves, palette, { marked: content.marked, selection, scale });
    drawReroutes(pen, curves, reroutes, palette, scale);
    const [width, height] = this.size;
    const visible: Rect = { x: -x / scale, y: -y / scale, width: width / scale, height: height / scale };
    const ids = [...boxes.values()].flatMap(({ id, rect }) =>
      overlaps(rect, visible) && !this.around.hasBody(id) ? [id] : [],
    );
    drawNodes(pen, this.drawn(ids, content, boxes), palette, scale);
  }

  private drawn(ids: readonly NodeId[], content: Content, boxes: ReadonlyMap<NodeId, NodeBox>): DrawnNode[] {
    const { scene, selection, runs } = content;
    return ids.flatMap((id): DrawnNode[] => {
      const box = boxes.get(id);
      const node = scene.document.nodes[id];
      if (!box || !node) return [];
      const definition = this.around.definitionOf(node);
      const pictures = box.picture ? this.around.picturesOf(id) : [];
      return [{ box, node, definition, isSelected: selection.has(id), run: runs[id], pictures }];
    });
  }
}

const NO_LINKS: ReadonlySet<Link> = new Set();

function isSame(a: Content, b: Content): boolean {
  return (
    a.scene === b.scene &&
    a.order === b.order &&
    a.selection === b.selection &&
    a.group === b.group &&
    a.runs === b.runs &&
    a.palette === b.palette &&
    a.hiddenLinks === b.hiddenLinks &&
    a.marked === b.marked &&
    a.lifted === b.lifted &&
    a.bodies === b.bodies
  );
}

/** The links that change when these places move. */
function liftedLinks(scene: Scene, { nodes, reroutes }: Places): ReadonlySet<Link> {
  const links = scene.index.linksAt(nodes);
  if (reroutes.size === 0) return links;
  const via = scene.links.filter((link) => reroutesOf(scene.document, link).some(({ id }) => reroutes.has(id)));
  return new Set([...links, ...via]);
}

/** The document with groups and points of links where the pointer has them; nodes are moved by their boxes. */
function movedDocument({ document }: Scene, { places: { groups, reroutes }, dx, dy }: Drag): Scene["document"] {
  if (groups.size === 0 && reroutes.size === 0) return document;
  return create(document, movePlaces({ nodes: new Set(), groups, reroutes }, dx, dy).recipe);
}

/** The boxes of what is dragged, where the pointer has them. */
export function movedBoxes(scene: Scene, { places, dx, dy }: Drag): Map<NodeId, NodeBox> {
  const boxes = new Map<NodeId, NodeBox>();
  for (const id of places.nodes) {
    const box = scene.boxes.get(id);
    if (box) boxes.set(id, { ...box, rect: { ...box.rect, x: box.rect.x + dx, y: box.rect.y + dy } });
  }
  return boxes;
}
