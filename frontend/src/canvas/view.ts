/**
 * The canvas on the page: viewport, frames, and which nodes have a DOM body. Writes transforms itself; React renders
 * node bodies when the set of mounted nodes or a node changes, never when the view moves.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { GraphNode, LinkId, NodeId, Point } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { Editor } from "../store/editor.ts";
import { type NodeBox, NOTHING_SHOWN, type Shown } from "./geometry.ts";
import { hitTest, type Hit } from "./hit.ts";
import { type Content, type Drag, movedBoxes, Painter } from "./painter.ts";
import { type Palette, readPalette } from "./palette.ts";
import { type Scene, SceneBuilder } from "./scene.ts";
import { fitRect, overlaps, type Rect, toScreen, toWorld, union, type Viewport, zoomAt } from "./viewport.ts";

/** Below this scale nodes are drawn on the canvas only. */
export const FAR = 0.35;
/** So many bodies are moved as they are. */
const FEW = 24;
/** Below this scale many bodies make way for their likeness on the canvas while the view or a node moves. */
const LIKENESS = 0.7;
const MOUNTS_A_FRAME = 6;
/** Milliseconds without a step after which the view is at rest. */
const REST = 140;

const NOTHING: ReadonlySet<LinkId> = new Set();

export interface Elements {
  readonly host: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  /** Above the canvas, for what follows the pointer. */
  readonly moving: HTMLCanvasElement;
  readonly layer: HTMLElement;
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
  private painter: Painter | null = null;
  private palette: Palette | null = null;
  private size: Point = [0, 0];
  private drag: Drag | null = null;
  private hiddenLinks: ReadonlySet<LinkId> = NOTHING;
  private marked: ReadonlySet<LinkId> = NOTHING;
  private frame = 0;
  /** Counts the changes of which nodes have a body. */
  private bodyChanges = 0;
  private isMoving = false;
  private isLayerHidden = false;
  private restTimer: ReturnType<typeof setTimeout> | undefined;
  private ordered: { readonly scene: Scene; readonly raised: unknown; readonly ids: readonly NodeId[] } | null = null;
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
    this.painter = new Painter(elements.canvas, elements.moving, {
      definitionOf: (node) => this.editor.definitionOf(node),
      hasBody: (id) => !this.isLayerHidden && this.bodies.has(id),
      picturesOf: (id) => [...(this.bodies.get(id)?.querySelectorAll("img") ?? [])],
    });
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
      clearTimeout(this.restTimer);
      this.frame = 0;
      this.elements = null;
      this.painter = null;
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
    this.bodyChanges += 1;
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
  get order(): readonly NodeId[] {
    const { scene } = this;
    const { raised } = this.editor.documents.getState();
    if (this.ordered?.scene === scene && this.ordered.raised === raised) return this.ordered.ids;
    const known = raised.filter((id) => scene.boxes.has(id));
    const front = new Set(known);
    const ids = [...[...scene.boxes.keys()].filter((id) => !front.has(id)), ...known];
    this.ordered = { scene, raised, ids };
    return ids;
  }

  hit(screen: Point): Hit {
    const at = toWorld(this.viewport, screen);
    const near = this.scene.index.nodesIn({ x: at[0], y: at[1], width: 0.1, height: 0.1 });
    const order = near.size > 1 ? this.order.filter((id) => near.has(id)) : [...near];
    return hitTest(this.scene, order, at, this.viewport.scale);
  }

  socketPoint({ node, side, index }: SocketRef): Point | null {
    const box = this.scene.boxes.get(node);
    const placed = side === "input" ? box?.inputs.find((input) => input.index === index) : box?.outputs[index];
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
    this.startMoving();
    this.setViewport({ ...this.viewport, x: this.viewport.x + dx, y: this.viewport.y + dy });
  }

  zoomAt(x: number, y: number, factor: number): void {
    this.startMoving();
    this.setViewport(zoomAt(this.viewport, x, y, factor));
  }

  /** Until the view rests again, little is painted and nothing is mounted. */
  private startMoving(): void {
    clearTimeout(this.restTimer);
    this.restTimer = setTimeout(() => {
      this.isMoving = false;
      if (this.elements) delete this.elements.host.dataset["moving"];
      this.invalidate();
    }, REST);
    if (this.isMoving) return;
    this.isMoving = true;
    if (this.elements) this.elements.host.dataset["moving"] = "";
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

  /** A dragged node's box where the pointer has it. */
  dragged(id: NodeId): NodeBox | undefined {
    return this.drag ? movedBoxes(this.scene, this.drag).get(id) : undefined;
  }

  /** Lights links up: where a dragged node goes into, or what a stroke cuts. */
  mark(links: Iterable<LinkId>): void {
    const marked = new Set(links);
    if (marked.size === 0 && this.marked.size === 0) return;
    this.marked = marked.size === 0 ? NOTHING : marked;
    this.invalidate();
  }

  hideLinks(ids: readonly LinkId[]): void {
    if (ids.length === 0 && this.hiddenLinks.size === 0) return;
    this.hiddenLinks = ids.length === 0 ? NOTHING : new Set(ids);
    this.invalidate();
  }

  nodesIn(screen: Rect): NodeId[] {
    const [x, y] = toWorld(this.viewport, [screen.x, screen.y]);
    const rect = { x, y, width: screen.width / this.viewport.scale, height: screen.height / this.viewport.scale };
    const { scene } = this;
    const near = scene.index.nodesIn(rect);
    return [...scene.boxes.values()].flatMap((box) => (near.has(box.id) && overlaps(box.rect, rect) ? [box.id] : []));
  }

  invalidate(): void {
    if (this.frame === 0 && this.elements) this.frame = requestAnimationFrame(() => this.draw());
  }

  private placeBody(id: NodeId): void {
    const body = this.bodies.get(id);
    if (!body) return;
    const isDragged = this.drag?.places.nodes.has(id);
    body.style.transform = isDragged ? `translate(${this.drag?.dx}px, ${this.drag?.dy}px)` : "";
  }

  private resize(): void {
    if (!this.elements) return;
    const { host } = this.elements;
    const before = this.size;
    this.size = [host.clientWidth, host.clientHeight];
    this.painter?.resize(this.size, window.devicePixelRatio);
    if (before[0] === 0) this.fit();
    // A panel that opens at the side must not leave the canvas blank for a frame.
    this.draw();
  }

  private draw(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.elements || !this.painter) return;
    const { host, layer } = this.elements;
    this.palette ??= readPalette(host);
    const { x, y, scale } = this.viewport;
    layer.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.hideLayer((this.isMoving || this.drag !== null) && scale < LIKENESS && this.bodies.size > FEW);
    const isComplete = this.isMoving || this.mountVisible();
    const content = this.contentNow(this.palette);
    this.painter.show(this.viewport, content, this.isMoving);
    this.painter.showMoving(this.viewport, content, this.drag);
    if (!isComplete) this.invalidate();
  }

  /** Not while somebody types in a body, which would lose the focus. */
  private hideLayer(isWanted: boolean): void {
    const layer = this.elements?.layer;
    const isHidden = isWanted && layer?.contains(document.activeElement) !== true;
    if (!layer || isHidden === this.isLayerHidden) return;
    this.isLayerHidden = isHidden;
    this.bodyChanges += 1;
    layer.classList.toggle("hidden", isHidden);
  }

  private contentNow(palette: Palette): Content {
    const { selection, group } = this.editor.documents.getState();
    return {
      scene: this.scene,
      order: this.order,
      selection,
      group,
      runs: this.editor.runs.getState().nodes,
      palette,
      hiddenLinks: this.hiddenLinks,
      marked: this.marked,
      lifted: this.drag?.places ?? null,
      bodies: this.bodyChanges,
    };
  }

  /** Chooses the nodes that have a DOM body; a few more each frame. True when all that should have one do. */
  private mountVisible(): boolean {
    const { scene } = this;
    const { x, y, scale } = this.viewport;
    const [width, height] = this.size;
    const visible: Rect = { x: -x / scale, y: -y / scale, width: width / scale, height: height / scale };
    const before = this.mounted.getState().ids;
    const wanted = new Set<NodeId>();
    if (this.viewport.scale >= FAR) {
      for (const id of scene.index.nodesIn(visible)) wanted.add(id);
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
