/** Carries out what the pointer's state machine says: turns DOM events into its inputs and its effects into deeds. */
import { addNodes, connect, disconnect, type LinkEnds, resizeNode } from "../graph/commands.ts";
import { copyNodes, pasteNodes } from "../graph/clipboard.ts";
import { bestInput, bestOutput, canConnect, type SocketRef, type Verdict } from "../graph/connect.ts";
import { type Link, type LinkId, linkInto, linksOf, type NodeId, type Point } from "../graph/document.ts";
import { parseJson } from "../graph/json.ts";
import { matchedSockets } from "../graph/match_types.ts";
import type { Sockets } from "../graph/sockets.ts";
import type { Editor } from "../store/editor.ts";
import { Dragging, linksNamed } from "./dragging.ts";
import { putReroute } from "./reroute_node.ts";
import { edgeSpeed } from "./edge_pan.ts";
import { type Hit, linksAcross } from "./hit.ts";
import { AT_REST, type Effect, type Gesture, type PointerInput, reducePointer, shifted } from "./pointer.ts";
import type { CanvasView } from "./view.ts";
import { type Rect, toWorld } from "./viewport.ts";

/** Drawn above the nodes while a gesture lasts. */
export interface Overlay {
  readonly showLink: (from: Point, to: Point, type: string) => void;
  readonly hideLink: () => void;
  /** Says beside the pointer why a link is refused; null says nothing. */
  readonly showReason: (reason: string | null, at: Point) => void;
  readonly showMarquee: (rect: Rect | null) => void;
  /** The stroke that cuts links; null takes it away. */
  readonly showCut: (points: readonly Point[] | null) => void;
}

/** What a drop would do: a link, a refusal (silent without a reason), or, over nothing, null. */
type Proposal = { readonly ends: LinkEnds } | { readonly reason: string } | null;

/** Gestures that the view follows at the canvas's edge. */
const FOLLOWED: ReadonlySet<Gesture["kind"]> = new Set<Gesture["kind"]>(["dragging", "linking", "marquee"]);

/** Gestures whose moves depend on what is under the pointer. */
const LOOKING: ReadonlySet<Gesture["kind"]> = new Set<Gesture["kind"]>(["idle", "pressed", "linking"]);
const NOWHERE: Hit = { kind: "void" };

export class Gestures {
  private readonly editor: Editor;
  private readonly view: CanvasView;
  private readonly overlay: Overlay;
  private gesture: Gesture = AT_REST;
  private linkFrom: SocketRef | null = null;
  private rerouted: Link | null = null;
  /** All links of an output, which are dragged to another one together. */
  private bundle: readonly Link[] = [];
  private marqueeBase: ReadonlySet<NodeId> | null = null;
  private resizeFrom: Point | null = null;
  private isSpaceHeld = false;
  private readonly dragging: Dragging;
  private stroke: Point[] = [];
  private readonly cut = new Set<LinkId>();
  private frame = 0;

  constructor(editor: Editor, view: CanvasView, overlay: Overlay) {
    this.editor = editor;
    this.view = view;
    this.overlay = overlay;
    this.dragging = new Dragging(editor, view);
  }

  /** While Space is held, a drag pans wherever it begins. */
  holdSpace(isHeld: boolean): void {
    this.isSpaceHeld = isHeld;
  }

  get isBusy(): boolean {
    return this.gesture.kind !== "idle";
  }

  /** `at` is from the canvas's corner. */
  pointer(type: PointerInput["type"], event: PointerEvent, at: Point): void {
    const hit = type === "move" && !LOOKING.has(this.gesture.kind) ? NOWHERE : this.view.hit(at);
    const isSelected = (hit.kind === "node" || hit.kind === "resize") && this.editor.selection.has(hit.id);
    const { gesture, effects } = reducePointer(this.gesture, {
      type,
      pointer: event.pointerId,
      isTouch: event.pointerType === "touch",
      button: event.button,
      x: at[0],
      y: at[1],
      shift: event.shiftKey,
      ctrl: event.ctrlKey || event.metaKey,
      alt: event.altKey,
      space: this.isSpaceHeld,
      voidSelects: this.editor.ui.getState().navigation === "standard",
      hit,
      isSelected,
      time: event.timeStamp,
    });
    this.gesture = gesture;
    for (const effect of effects) this.perform(effect);
    this.followEdge(event, at);
  }

  /** While something is dragged at the canvas's edge, the view moves that way. */
  private followEdge(event: PointerEvent, at: Point): void {
    cancelAnimationFrame(this.frame);
    if (!FOLLOWED.has(this.gesture.kind)) return;
    const [dx, dy] = edgeSpeed(at, this.view.extent);
    if (dx === 0 && dy === 0) return;
    this.frame = requestAnimationFrame(() => {
      if (!FOLLOWED.has(this.gesture.kind)) return;
      this.view.panBy(dx, dy);
      this.gesture = shifted(this.gesture, dx, dy);
      this.pointer("move", event, at);
    });
  }

  /** Ends whatever is going on and leaves the document as it was. */
  cancel(): void {
    const { gesture } = this;
    this.gesture = AT_REST;
    if (gesture.kind === "dragging") this.dragging.cancel();
    if (gesture.kind === "cutting") this.endCut();
    if (gesture.kind === "linking") this.endLink();
    if (gesture.kind === "marquee") this.endMarquee();
  }

  /** Takes the dragged link off the canvas; also when the search that it opened closes. */
  endLink(): void {
    this.linkFrom = null;
    this.rerouted = null;
    this.bundle = [];
    this.view.hideLinks([]);
    this.overlay.hideLink();
    this.overlay.showReason(null, [0, 0]);
    this.editor.ui.setState({ linking: null });
  }

  private perform(effect: Effect): void {
    const { editor, view } = this;
    switch (effect.do) {
      case "pan":
        return view.panBy(effect.dx, effect.dy);
      case "zoom":
        return view.zoomAt(effect.x, effect.y, effect.factor);
      case "select":
        return this.select(effect.id, effect.mode);
      case "clear-selection":
        return editor.select([]);
      case "clone":
        return this.clone();
      case "grab":
        return this.dragging.grab(effect.what);
      case "drag":
        return this.dragging.move(effect);
      case "drop":
        return this.dragging.drop(effect);
      case "drag-cancel":
        return this.dragging.cancel();
      case "select-group":
        return editor.selectGroup(effect.index);
      case "rename-group":
        return editor.ui.setState({ renamingGroup: effect.index });
      case "cut":
        return this.cutAlong(effect.from, effect.to);
      case "cut-end":
        editor.do({ ...disconnect(linksNamed(editor, this.cut)), label: "cut links" });
        return this.endCut();
      case "cut-cancel":
        return this.endCut();
      case "marquee":
        return this.marquee(effect.rect, effect.isAdding);
      case "marquee-end":
        return this.endMarquee();
      case "link-start":
        return this.startLink(effect.from, effect.keep);
      case "link-move":
        return this.moveLink([effect.x, effect.y], effect.hit);
      case "link-drop":
        return this.dropLink([effect.x, effect.y], effect.hit);
      case "link-cancel":
        return this.endLink();
      case "break":
        return editor.do({ ...disconnect(this.linksAt(effect.socket)), label: "break links" });
      case "reroute-node":
        return putReroute(this.editor, this.view, effect.socket, this.linksAt(effect.socket));
      case "link-click":
        return this.clickLink(effect.id);
      case "resize":
        return this.resize(effect.id, effect.dx, effect.dy);
      case "resize-end":
        this.resizeFrom = null;
        return editor.endGesture();
      case "search":
        return editor.openSearch(toWorld(view.viewport, [effect.x, effect.y]), view.onPage([effect.x, effect.y]));
      case "rename":
        return editor.ui.setState({ renaming: effect.id });
    }
  }

  private select(id: NodeId, mode: "replace" | "toggle"): void {
    const { selection } = this.editor;
    if (mode === "replace") return this.editor.select([id]);
    this.editor.select(selection.has(id) ? [...selection].filter((other) => other !== id) : [...selection, id]);
  }

  private cutAlong(from: Point, to: Point): void {
    const { view } = this;
    this.stroke = this.stroke.length === 0 ? [from, to] : [...this.stroke, to];
    this.overlay.showCut(this.stroke);
    const [start, end] = [toWorld(view.viewport, from), toWorld(view.viewport, to)];
    for (const id of linksAcross(view.scene, start, end)) this.cut.add(id);
    view.mark(this.cut);
  }

  private endCut(): void {
    this.stroke = [];
    this.cut.clear();
    this.overlay.showCut(null);
    this.view.mark([]);
  }

  private clone(): void {
    const { editor } = this;
    const chosen = [...editor.selection].flatMap((id) => editor.node(id) ?? []);
    const at: Point = [Math.min(...chosen.map((node) => node.pos[0])), Math.min(...chosen.map((node) => node.pos[1]))];
    const copied = parseJson(copyNodes(editor.document, editor.selection, editor.definitions));
    const { nodes, links, reroutes } = pasteNodes(editor.document, copied, at);
    editor.do(addNodes(nodes, links, reroutes));
    editor.select(nodes.map((node) => node.id));
  }

  private marquee(rect: Rect, isAdding: boolean): void {
    this.marqueeBase ??= isAdding ? this.editor.selection : new Set();
    this.overlay.showMarquee(rect);
    const ids = [...this.marqueeBase, ...this.view.nodesIn(rect)];
    if (ids.length !== this.editor.selection.size || ids.some((id) => !this.editor.selection.has(id)))
      this.editor.select(ids);
  }

  private endMarquee(): void {
    this.marqueeBase = null;
    this.overlay.showMarquee(null);
  }

  private resize(id: NodeId, dx: number, dy: number): void {
    const box = this.view.scene.boxes.get(id);
    if (!box) return;
    this.resizeFrom ??= [box.width, box.height];
    const { scale } = this.view.viewport;
    const [width, height] = this.resizeFrom;
    this.editor.do(
      resizeNode(id, [Math.max(120, Math.round(width + dx / scale)), Math.max(0, Math.round(height + dy / scale))]),
    );
  }

  private clickLink(id: number): void {
    const link = Object.values(this.editor.document.links).find((candidate) => candidate.id === id);
    if (link) this.editor.select([link.source, link.target]);
  }

  private linksAt({ node, side, index }: SocketRef): Link[] {
    const input = this.socketsAt(node).inputs[index]?.name;
    return linksOf(this.editor.document).filter((link) =>
      side === "output" ? link.source === node && link.output === index : link.target === node && link.input === input,
    );
  }

  private socketsAt(id: NodeId): Sockets {
    const node = this.editor.node(id);
    if (!node) return { inputs: [], outputs: [] };
    return matchedSockets(this.editor.document, this.editor.definitions, node);
  }

  /** A drag from a linked input takes that link along; from anywhere else it begins a new one. */
  private startLink(from: SocketRef, keep: boolean): void {
    const { editor, view } = this;
    this.linkFrom = from;
    this.rerouted = null;
    this.bundle = from.side === "output" && keep ? this.linksAt(from) : [];
    const [first] = this.bundle;
    if (first) {
      const index = this.socketsAt(first.target).inputs.findIndex(({ name }) => name === first.input);
      this.linkFrom = { node: first.target, side: "input", index };
      view.hideLinks(this.bundle.map(({ id }) => id));
    }
    if (from.side === "input" && !keep) {
      const name = this.socketsAt(from.node).inputs[from.index]?.name;
      const link = name === undefined ? undefined : linkInto(editor.document, from.node, name);
      if (link) {
        this.rerouted = link;
        this.linkFrom = { node: link.source, side: "output", index: link.output };
        view.hideLinks([link.id]);
      }
    }
    editor.ui.setState({ linking: { from: this.linkFrom, type: this.typeOf(this.linkFrom) } });
  }

  private typeOf({ node, side, index }: SocketRef): string {
    const sockets = this.socketsAt(node);
    return (side === "input" ? sockets.inputs[index]?.type : sockets.outputs[index]?.type) ?? "*";
  }

  private moveLink(at: Point, hit: Hit): void {
    const from = this.linkFrom;
    if (!from) return;
    const start = this.view.socketOnScreen(from);
    if (!start) return;
    const proposal = this.propose(from, hit);
    const snapped = proposal && "ends" in proposal ? this.endPoint(from, proposal.ends) : null;
    const end = snapped ?? at;
    const [source, target] = from.side === "output" ? [start, end] : [end, start];
    this.overlay.showLink(source, target, this.typeOf(from));
    this.overlay.showReason(proposal && "reason" in proposal ? proposal.reason || null : null, at);
  }

  private endPoint(from: SocketRef, ends: LinkEnds): Point | null {
    if (from.side === "input")
      return this.view.socketOnScreen({ node: ends.source, side: "output", index: ends.output });
    const index = this.socketsAt(ends.target).inputs.findIndex((input) => input.name === ends.input);
    return this.view.socketOnScreen({ node: ends.target, side: "input", index });
  }

  private dropLink(at: Point, hit: Hit): void {
    const from = this.linkFrom;
    const { rerouted } = this;
    if (!from) return;
    const proposal = this.propose(from, hit);
    if (this.bundle.length > 0) {
      const source = proposal && "ends" in proposal ? proposal.ends : null;
      if (source) this.moveBundle({ node: source.source, side: "output", index: source.output });
      else if (proposal && "reason" in proposal && proposal.reason !== "") this.editor.toast("info", proposal.reason);
      return this.endLink();
    }
    if (proposal && "ends" in proposal) {
      const { ends } = proposal;
      const isSame = rerouted?.target === ends.target && rerouted.input === ends.input;
      if (!isSame) this.editor.do(connect(ends, rerouted ?? undefined));
    } else if (proposal) {
      if (proposal.reason !== "") this.editor.toast("info", proposal.reason);
    } else if (rerouted) {
      this.editor.do(disconnect([rerouted]));
    } else {
      // The link stays drawn while the search that it opens is there.
      this.editor.openSearch(toWorld(this.view.viewport, at), this.view.onPage(at), from);
      return;
    }
    this.endLink();
  }

  /** Those that do not fit the other output stay where they are. */
  private moveBundle(output: SocketRef): void {
    const ends = this.bundle.flatMap(({ target, input }): LinkEnds[] => {
      const index = this.socketsAt(target).inputs.findIndex(({ name }) => name === input);
      const proposal = this.join(output, { node: target, side: "input", index });
      return proposal && "ends" in proposal ? [proposal.ends] : [];
    });
    this.editor.do({
      label: "move links",
      recipe: (draft) => {
        for (const each of ends) connect(each).recipe(draft);
      },
    });
  }

  /** What dropping here would do: a link, a refusal, or nothing. */
  private propose(from: SocketRef, hit: Hit): Proposal {
    if (hit.kind === "socket") {
      // Back where the drag began: neither a link nor a mistake.
      if (hit.socket.node === from.node && hit.socket.side === from.side) return this.rerouted ? null : { reason: "" };
      if (hit.socket.side === from.side) return { reason: `Two ${from.side}s cannot be linked.` };
      return from.side === "output" ? this.join(from, hit.socket) : this.join(hit.socket, from);
    }
    if (hit.kind !== "node" && hit.kind !== "resize") return null;
    if (hit.id === from.node) return { reason: "" };
    const sockets = this.socketsAt(hit.id);
    const type = this.typeOf(from);
    if (from.side === "output") {
      const best = bestInput(sockets, type, this.view.scene.linked.get(hit.id) ?? new Set());
      if (!best) return { reason: `This node has no input that takes ${type}.` };
      return this.join(from, { node: hit.id, side: "input", index: sockets.inputs.indexOf(best) });
    }
    const index = bestOutput(sockets, type);
    return index < 0
      ? { reason: `This node has no output of type ${type}.` }
      : this.join({ node: hit.id, side: "output", index }, from);
  }

  private join(source: SocketRef, target: SocketRef): Proposal {
    const output = this.socketsAt(source.node).outputs[source.index];
    const input = this.socketsAt(target.node).inputs[target.index];
    if (!output || !input) return null;
    const verdict: Verdict = canConnect(
      this.editor.document,
      { node: source.node, socket: output },
      { node: target.node, socket: input },
    );
    if (!verdict.ok) return { reason: verdict.reason };
    const type = output.type === "*" ? input.type : output.type;
    return { ends: { source: source.node, output: source.index, target: target.node, input: input.name, type } };
  }
}
