/**
 * The canvas on the page: viewport, frames, and which nodes have a DOM body. Writes transforms itself; React renders
 * node bodies when the set of mounted nodes or a node changes, never when the view moves.
 */
import { create } from "mutative";
import { createStore, type StoreApi } from "zustand/vanilla";
import type { GraphNode, LinkId, NodeId, Point } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import { movePlaces, type Places } from "../graph/place_commands.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { Editor } from "../store/editor.ts";
import { drawGrid, drawGroups, drawLinks, drawNode } from "./draw.ts";
import { NOTHING_SHOWN, type NodeBox, type Shown } from "./geometry.ts";
import { hitTest, type Hit } from "./hit.ts";
import { type Palette, readPalette } from "./palette.ts";
import { type Scene, SceneBuilder } from "./scene.ts";
import { fitRect, overlaps, type Rect, toScreen, toWorld, union, type Viewport, zoomAt } from "./viewport.ts";

/** Below this scale nodes are drawn on the canvas only. */
export const FAR = 0.35;
const MOUNTS_A_FRAME = 6;

export interface Elements {
  readonly host: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  readonly layer: HTMLElement;
}

/** What follows the pointer; the document moves only when it is dropped. */
export interface Drag {
  readonly places: Places;
  readonly dx: number;
  readonly dy: number;
}

export class CanvasView {
  readonly mounted: StoreApi<{ readonly ids: readonly NodeId[] }> = createStore(() => ({
    ids: [] as readonly NodeId[],
  }));
  viewport: Viewport = { x: 0, y: 0, scale: 1 };
  private readonly editor: Editor;
  private readonly builder = new SceneBuilder();
  private readonly watchers = new Set<(viewport: Viewport) => void>();
  private readonly bodies = new Map<NodeId, HTMLElement>();
  private elements: Elements | null = null;
  private palette: Palette | null = null;
  private size: Point = [0, 0];
  private drag: Drag | null = null;
  private hiddenLink: LinkId | null = null;
  private marked: ReadonlySet<LinkId> = new Set();
  private frame = 0;
  private cached: {
    document: unknown;
    definitions: unknown;
    pictures: unknown;
    previews: unknown;
    texts: unknown;
    scene: Scene;
  } | null = null;

  constructor(editor: Editor) {
    this.editor = editor;
  }

  /** Puts the view on the page; the answer takes it off again. */
  attach(elements: Elements): () => void {
    this.elements = elements;
    const resize = new ResizeObserver(() => this.resize());
    resize.observe(elements.host);
    const stops = [
      this.editor.documents.subscribe((state, before) => {
        if (state.generation !== before.generation) this.fit();
        this.invalidate();
      }),
      this.editor.runs.subscribe(() => this.invalidate()),
    ];
    this.resize();
    this.fit();
    return () => {
      resize.disconnect();
      for (const stop of stops) stop();
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      this.elements = null;
    };
  }

  /** Reads the theme's colours again. */
  retheme(): void {
    this.palette = null;
    this.invalidate();
  }

  attachBody(id: NodeId, element: HTMLElement | null): void {
    if (element) this.bodies.set(id, element);
    else this.bodies.delete(id);
    // The canvas draws what has no body, and stops drawing what has one.
    this.invalidate();
  }

  get scene(): Scene {
    const { history, definitions } = this.editor.documents.getState();
    const { pictures, previews, texts } = this.editor.runs.getState();
    const document = history.document;
    const known = this.cached;
    if (
      known?.document === document &&
      known.definitions === definitions &&
      known.pictures === pictures &&
      known.previews === previews &&
      known.texts === texts
    ) {
      return known.scene;
    }
    const shownOf = (id: NodeId): Shown => {
      const hasPicture = (pictures[id]?.length ?? 0) > 0 || previews[id] !== undefined;
      const hasText = (texts[id]?.length ?? 0) > 0;
      return hasPicture || hasText ? { hasPicture, hasText } : NOTHING_SHOWN;
    };
    const scene = this.builder.build(document, definitions, shownOf);
    this.cached = { document, definitions, pictures, previews, texts, scene };
    return scene;
  }

  definitionOf(node: Pick<GraphNode, "type" | "outputs">): NodeDefinition | undefined {
    return this.editor.definitionOf(node);
  }

  /** Back to front. */
  get order(): NodeId[] {
    const raised = this.editor.documents.getState().raised.filter((id) => this.scene.boxes.has(id));
    const front = new Set(raised);
    return [...[...this.scene.boxes.keys()].filter((id) => !front.has(id)), ...raised];
  }

  hit(screen: Point): Hit {
    return hitTest(this.scene, this.order, toWorld(this.viewport, screen), this.viewport.scale);
  }

  socketPoint({ node, side, index }: SocketRef): Point | null {
    const box = this.scene.boxes.get(node);
    const placed = side === "input" ? box?.inputs[index] : box?.outputs[index];
    return box && placed ? [box.rect.x + placed.x, box.rect.y + box.title + placed.y] : null;
  }

  socketOnScreen(socket: SocketRef): Point | null {
    const point = this.socketPoint(socket);
    return point && toScreen(this.viewport, point);
  }

  /** Tells of every change of the viewport, beginning with now; the answer stops it. */
  watchViewport(watch: (viewport: Viewport) => void): () => void {
    this.watchers.add(watch);
    watch(this.viewport);
    return () => this.watchers.delete(watch);
  }

  setViewport(viewport: Viewport): void {
    this.viewport = viewport;
    for (const watch of this.watchers) watch(viewport);
    this.invalidate();
  }

  panBy(dx: number, dy: number): void {
    this.setViewport({ ...this.viewport, x: this.viewport.x + dx, y: this.viewport.y + dy });
  }

  zoomAt(x: number, y: number, factor: number): void {
    this.setViewport(zoomAt(this.viewport, x, y, factor));
  }

  /** Zooms around the middle. */
  zoomBy(factor: number): void {
    this.zoomAt(this.size[0] / 2, this.size[1] / 2, factor);
  }

  /** Shows these nodes, or all with their groups. */
  fit(ids?: Iterable<NodeId>): void {
    const { scene } = this;
    const chosen = ids ? [...ids] : [...scene.boxes.keys()];
    const rects = chosen.flatMap((id) => scene.boxes.get(id)?.rect ?? []);
    if (!ids)
      for (const {
        bounding: [x, y, width, height],
      } of scene.document.groups)
        rects.push({ x, y, width, height });
    const whole = union(rects);
    if (whole && this.size[0] > 0) this.setViewport(fitRect(whole, this.size[0], this.size[1]));
  }

  /** Moves the view so that a node is in the middle and legible. */
  reveal(id: NodeId): void {
    const box = this.scene.boxes.get(id);
    if (!box) return;
    const scale = Math.max(this.viewport.scale, 0.7);
    const { x, y, width, height } = box.rect;
    const [w, h] = this.size;
    this.setViewport({ x: w / 2 - (x + width / 2) * scale, y: h / 2 - (y + height / 2) * scale, scale });
  }

  /** A point of the canvas on the whole page, where popups stand. */
  onPage([x, y]: Point): Point {
    const box = this.elements?.host.getBoundingClientRect();
    return [x + (box?.left ?? 0), y + (box?.top ?? 0)];
  }

  /** Of the canvas on the page. */
  get extent(): Point {
    return this.size;
  }

  /** The middle of what is seen, in the world. */
  get middle(): Point {
    return toWorld(this.viewport, [this.size[0] / 2, this.size[1] / 2]);
  }

  setDrag(drag: Drag | null): void {
    const before = this.drag;
    this.drag = drag;
    for (const id of before?.places.nodes ?? []) if (!drag?.places.nodes.has(id)) this.placeBody(id);
    for (const id of drag?.places.nodes ?? []) this.placeBody(id);
    this.invalidate();
  }

  /** Lights links up: where a dragged node goes into, or what a stroke cuts. */
  mark(links: Iterable<LinkId>): void {
    this.marked = new Set(links);
    this.invalidate();
  }

  hideLink(id: LinkId | null): void {
    this.hiddenLink = id;
    this.invalidate();
  }

  nodesIn(screen: Rect): NodeId[] {
    const [x, y] = toWorld(this.viewport, [screen.x, screen.y]);
    const rect = { x, y, width: screen.width / this.viewport.scale, height: screen.height / this.viewport.scale };
    return [...this.scene.boxes.values()].filter((box) => overlaps(box.rect, rect)).map((box) => box.id);
  }

  invalidate(): void {
    if (this.frame === 0 && this.elements) this.frame = requestAnimationFrame(() => this.draw());
  }

  private placeBody(id: NodeId): void {
    const body = this.bodies.get(id);
    const box = this.scene.boxes.get(id);
    if (!body || !box) return;
    const [dx, dy] = this.drag?.places.nodes.has(id) ? [this.drag.dx, this.drag.dy] : [0, 0];
    body.style.transform = `translate(${box.rect.x + dx}px, ${box.rect.y + dy}px)`;
  }

  private resize(): void {
    if (!this.elements) return;
    const { host, canvas } = this.elements;
    const before = this.size;
    this.size = [host.clientWidth, host.clientHeight];
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(this.size[0] * ratio);
    canvas.height = Math.round(this.size[1] * ratio);
    if (before[0] === 0) this.fit();
    // A panel that opens at the side must not leave the canvas blank for a frame.
    this.draw();
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.elements) return;
    const { host, canvas, layer } = this.elements;
    const pen = canvas.getContext("2d");
    if (!pen) return;
    this.palette ??= readPalette(host);
    const palette = this.palette;
    const { x, y, scale } = this.viewport;
    const ratio = window.devicePixelRatio;
    const [width, height] = this.size;
    layer.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    const scene = this.movedScene();
    const visible: Rect = { x: -x / scale, y: -y / scale, width: width / scale, height: height / scale };
    const isComplete = this.mountVisible(scene, visible);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawGrid(pen, this.viewport, width, height, palette);
    pen.setTransform(ratio * scale, 0, 0, ratio * scale, ratio * x, ratio * y);
    const { selection, group } = this.editor.documents.getState();
    drawGroups(pen, scene.document.groups, group, palette);
    drawLinks(pen, scene, palette, { hidden: this.hiddenLink, marked: this.marked, selection, visible, scale });
    this.drawFarNodes(pen, scene, visible, palette);
    if (!isComplete) this.invalidate();
  }

  private drawFarNodes(pen: CanvasRenderingContext2D, scene: Scene, visible: Rect, palette: Palette): void {
    const { nodes } = this.editor.runs.getState();
    const { selection } = this.editor;
    for (const id of this.order) {
      const box = scene.boxes.get(id);
      const node = scene.document.nodes[id];
      // React may not have made the body yet; until it has, the canvas stands in.
      if (!box || !node || this.bodies.has(id) || !overlaps(box.rect, visible)) continue;
      const title = node.title ?? this.editor.definitionOf(node)?.displayName ?? node.type;
      drawNode(pen, box, node, palette, {
        title,
        isSelected: selection.has(id),
        run: nodes[id],
        scale: this.viewport.scale,
      });
    }
  }

  /** The scene with what is dragged where the pointer has it. */
  movedScene(): Scene {
    const { drag, scene } = this;
    if (!drag || (drag.dx === 0 && drag.dy === 0)) return scene;
    const boxes = new Map(scene.boxes);
    for (const id of drag.places.nodes) {
      const box = boxes.get(id);
      if (box) boxes.set(id, moved(box, drag.dx, drag.dy));
    }
    const { groups, reroutes } = drag.places;
    if (groups.size === 0 && reroutes.size === 0) return { ...scene, boxes };
    const places: Places = { nodes: new Set(), groups, reroutes };
    const document = create(scene.document, movePlaces(places, drag.dx, drag.dy).recipe);
    return { ...scene, boxes, document };
  }

  /** Chooses the nodes that have a DOM body; a few more each frame. True when all that should have one do. */
  private mountVisible(scene: Scene, visible: Rect): boolean {
    const before = this.mounted.getState().ids;
    const wanted = new Set<NodeId>();
    if (this.viewport.scale >= FAR) {
      for (const box of scene.boxes.values()) if (overlaps(box.rect, visible)) wanted.add(box.id);
    }
    // A field that is being typed in must not vanish because the view moved.
    const focused = document.activeElement?.closest<HTMLElement>("[data-node]")?.dataset["node"];
    if (focused !== undefined && scene.boxes.has(focused as NodeId)) wanted.add(focused as NodeId);
    for (const id of this.drag?.places.nodes ?? []) if (before.includes(id)) wanted.add(id);
    const kept = before.filter((id) => wanted.has(id));
    const known = new Set(kept);
    const missing = [...wanted].filter((id) => !known.has(id));
    const ids = [...kept, ...missing.slice(0, MOUNTS_A_FRAME)];
    if (ids.length !== before.length || missing.length > 0) this.mounted.setState({ ids });
    return missing.length <= MOUNTS_A_FRAME;
  }
}

function moved(box: NodeBox, dx: number, dy: number): NodeBox {
  return { ...box, rect: { ...box.rect, x: box.rect.x + dx, y: box.rect.y + dy } };
}
