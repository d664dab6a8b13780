/**
 * All gestures of mouse, pen and touch, as one pure state machine: an input and a state give the next state and what
 * is to be done. Knows no DOM and no document; it is told what lies under the pointer.
 */
import type { LinkId, NodeId, Point, RerouteId } from "../graph/document.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { Hit } from "./hit.ts";
import { rectOf, type Rect } from "./viewport.ts";

export interface PointerInput {
  readonly type: "down" | "move" | "up" | "cancel";
  readonly pointer: number;
  readonly isTouch: boolean;
  readonly button: number;
  /** On the screen, from the canvas's corner. */
  readonly x: number;
  readonly y: number;
  readonly shift: boolean;
  readonly ctrl: boolean;
  readonly alt: boolean;
  /** Space is held: the next drag pans, wherever it begins. */
  readonly space: boolean;
  /** A drag of the void selects rather than pans: the standard way of moving about, not the classic one. */
  readonly voidSelects: boolean;
  readonly hit: Hit;
  /** Whether the node under the pointer was selected already. */
  readonly isSelected: boolean;
  /** Milliseconds. */
  readonly time: number;
}

export type Effect =
  | { readonly do: "pan"; readonly dx: number; readonly dy: number }
  | { readonly do: "zoom"; readonly x: number; readonly y: number; readonly factor: number }
  | { readonly do: "select"; readonly id: NodeId; readonly mode: "replace" | "toggle" }
  | { readonly do: "clear-selection" }
  | { readonly do: "clone" }
  | { readonly do: "grab"; readonly what: Grabbed }
  | DragEffect<"drag">
  | DragEffect<"drop">
  | { readonly do: "drag-cancel" }
  | { readonly do: "marquee"; readonly rect: Rect; readonly isAdding: boolean }
  | { readonly do: "marquee-end" }
  | { readonly do: "link-start"; readonly from: SocketRef; readonly keep: boolean }
  | { readonly do: "link-move"; readonly x: number; readonly y: number; readonly hit: Hit }
  | { readonly do: "link-drop"; readonly x: number; readonly y: number; readonly hit: Hit }
  | { readonly do: "link-cancel" }
  | { readonly do: "break"; readonly socket: SocketRef }
  | { readonly do: "reroute-node"; readonly socket: SocketRef }
  | { readonly do: "link-click"; readonly id: LinkId; readonly x: number; readonly y: number }
  | { readonly do: "resize"; readonly id: NodeId; readonly dx: number; readonly dy: number }
  | { readonly do: "resize-end"; readonly id: NodeId }
  | { readonly do: "search"; readonly x: number; readonly y: number }
  | { readonly do: "rename"; readonly id: NodeId }
  | { readonly do: "select-group"; readonly index: number }
  | { readonly do: "rename-group"; readonly index: number }
  | { readonly do: "cut"; readonly from: Point; readonly to: Point }
  | { readonly do: "cut-end" }
  | { readonly do: "cut-cancel" };

/** What a drag moves: the selected nodes, a group with what it holds, its corner, or a point of a link. */
export type Grabbed =
  | { readonly kind: "nodes" }
  | { readonly kind: "group"; readonly index: number; readonly isCorner: boolean; readonly isAlone: boolean }
  | { readonly kind: "reroute"; readonly id: RerouteId }
  | { readonly kind: "link"; readonly id: LinkId; readonly part: number; readonly at: Point };

interface DragEffect<Name extends string> {
  readonly do: Name;
  readonly dx: number;
  readonly dy: number;
  readonly at: Point;
  /** Shift is held: what the setting says about the grid is turned round. */
  readonly shift: boolean;
}

interface Tap {
  readonly time: number;
  readonly x: number;
  readonly y: number;
}

interface Pinch {
  readonly first: { readonly pointer: number; readonly at: Point };
  readonly second: { readonly pointer: number; readonly at: Point };
}

export type Gesture =
  | { readonly kind: "idle"; readonly lastTap: Tap | null }
  | { readonly kind: "pressed"; readonly start: PointerInput; readonly lastTap: Tap | null }
  /** `slot` is the socket that it began on with the middle button, until it moves. */
  | {
      readonly kind: "panning";
      readonly pointer: number;
      readonly x: number;
      readonly y: number;
      readonly slot?: SocketRef;
    }
  /** Up and down zooms around `at`. */
  | { readonly kind: "zooming"; readonly pointer: number; readonly at: Point; readonly y: number }
  | { readonly kind: "dragging"; readonly pointer: number; readonly x: number; readonly y: number }
  | {
      readonly kind: "marquee";
      readonly pointer: number;
      readonly x: number;
      readonly y: number;
      readonly isAdding: boolean;
    }
  | { readonly kind: "cutting"; readonly pointer: number; readonly x: number; readonly y: number }
  | { readonly kind: "linking"; readonly pointer: number }
  | { readonly kind: "resizing"; readonly pointer: number; readonly id: NodeId; readonly x: number; readonly y: number }
  | { readonly kind: "pinching"; readonly pinch: Pinch };

export interface Step {
  readonly gesture: Gesture;
  readonly effects: readonly Effect[];
}

export const AT_REST: Gesture = { kind: "idle", lastTap: null };

/** A click may drift this far, in pixels; fingers are less steady. */
const DRIFT = 6;
const TOUCH_DRIFT = 10;
const DOUBLE_CLICK_MS = 350;
const ZOOM_A_PIXEL = 0.01;

const to = (gesture: Gesture, ...effects: readonly Effect[]): Step => ({ gesture, effects });

export function reducePointer(gesture: Gesture, input: PointerInput): Step {
  if (input.type === "cancel") return cancel(gesture);
  switch (gesture.kind) {
    case "idle":
      return input.type === "down" ? press(input, gesture.lastTap) : to(gesture);
    case "pressed":
      return fromPressed(gesture, input);
    case "pinching":
      return fromPinching(gesture.pinch, input);
    case "panning":
      if (isSecondFinger(gesture, input)) return pinch(gesture.pointer, [gesture.x, gesture.y], input);
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up")
        return gesture.slot ? to(AT_REST, { do: "reroute-node", socket: gesture.slot }) : to(AT_REST);
      if (gesture.slot && Math.hypot(input.x - gesture.x, input.y - gesture.y) < DRIFT) return to(gesture);
      return to(
        { kind: "panning", pointer: gesture.pointer, x: input.x, y: input.y },
        { do: "pan", dx: input.x - gesture.x, dy: input.y - gesture.y },
      );
    case "zooming": {
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up") return to(AT_REST);
      const [x, y] = gesture.at;
      const factor = Math.exp((gesture.y - input.y) * ZOOM_A_PIXEL);
      return to({ ...gesture, y: input.y }, { do: "zoom", x, y, factor });
    }
    case "dragging": {
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      const moved = movedBy(gesture, input);
      return input.type === "up" ? to(AT_REST, { do: "drop", ...moved }) : to(gesture, { do: "drag", ...moved });
    }
    case "cutting": {
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up") return to(AT_REST, { do: "cut-end" });
      const [x, y] = [input.x, input.y];
      return to({ ...gesture, x, y }, { do: "cut", from: [gesture.x, gesture.y], to: [x, y] });
    }
    case "marquee": {
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up") return to(AT_REST, { do: "marquee-end" });
      const rect = rectOf([gesture.x, gesture.y], [input.x, input.y]);
      return to(gesture, { do: "marquee", rect, isAdding: gesture.isAdding });
    }
    case "linking":
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up") return to(AT_REST, { do: "link-drop", x: input.x, y: input.y, hit: input.hit });
      return to(gesture, { do: "link-move", x: input.x, y: input.y, hit: input.hit });
    case "resizing":
      if (input.pointer !== gesture.pointer || input.type === "down") return to(gesture);
      if (input.type === "up") return to(AT_REST, { do: "resize-end", id: gesture.id });
      return to(gesture, { do: "resize", id: gesture.id, dx: input.x - gesture.x, dy: input.y - gesture.y });
  }
}

function movedBy({ x, y }: { readonly x: number; readonly y: number }, input: PointerInput) {
  return { dx: input.x - x, dy: input.y - y, at: [input.x, input.y] as const, shift: input.shift };
}

/** The gesture after the view moved below it: what it began at has moved along. */
export function shifted(gesture: Gesture, dx: number, dy: number): Gesture {
  switch (gesture.kind) {
    case "dragging":
    case "marquee":
    case "resizing":
      return { ...gesture, x: gesture.x + dx, y: gesture.y + dy };
    default:
      return gesture;
  }
}

function press(input: PointerInput, lastTap: Tap | null): Step {
  if (input.button === 1 || input.space) {
    const slot = input.button === 1 && input.hit.kind === "socket" ? { slot: input.hit.socket } : {};
    return to({ kind: "panning", pointer: input.pointer, x: input.x, y: input.y, ...slot });
  }
  if (input.button === 2 && input.ctrl) {
    return to({ kind: "cutting", pointer: input.pointer, x: input.x, y: input.y });
  }
  if (input.button !== 0) return to({ kind: "idle", lastTap: null });
  const pressed: Gesture = { kind: "pressed", start: input, lastTap };
  if (input.hit.kind !== "node") return to(pressed);
  if (input.shift || input.ctrl) return to(pressed, { do: "select", id: input.hit.id, mode: "toggle" });
  return input.isSelected ? to(pressed) : to(pressed, { do: "select", id: input.hit.id, mode: "replace" });
}

function fromPressed(gesture: Extract<Gesture, { kind: "pressed" }>, input: PointerInput): Step {
  const { start, lastTap } = gesture;
  if (isSecondFinger({ pointer: start.pointer }, input)) return pinch(start.pointer, [start.x, start.y], input);
  if (input.pointer !== start.pointer || input.type === "down") return to(gesture);
  if (input.type === "up") return tap(start, lastTap);
  const drift = start.isTouch ? TOUCH_DRIFT : DRIFT;
  if (Math.hypot(input.x - start.x, input.y - start.y) < drift) return to(gesture);
  return beginDrag(start, input);
}

function beginDrag(start: PointerInput, input: PointerInput): Step {
  const { pointer, x, y, hit } = start;
  const moved = movedBy(start, input);
  const grab = (what: Grabbed): Step =>
    to({ kind: "dragging", pointer, x, y }, { do: "grab", what }, { do: "drag", ...moved });
  switch (hit.kind) {
    case "void":
    case "link":
      if (start.alt) {
        const end: Point = [input.x, input.y];
        return to({ kind: "cutting", pointer, x: input.x, y: input.y }, { do: "cut", from: [x, y], to: end });
      }
      if (start.shift && start.ctrl) return to({ kind: "zooming", pointer, at: [x, y], y: input.y });
      if (start.shift || start.ctrl || (start.voidSelects && hit.kind === "void" && !start.isTouch)) {
        const rect = rectOf([x, y], [input.x, input.y]);
        const isAdding = start.shift;
        return to({ kind: "marquee", pointer, x, y, isAdding }, { do: "marquee", rect, isAdding });
      }
      if (hit.kind === "link") return grab({ kind: "link", id: hit.id, part: hit.part, at: [x, y] });
      return to({ kind: "panning", pointer, x: input.x, y: input.y }, { do: "pan", dx: moved.dx, dy: moved.dy });
    case "node": {
      const { gesture, effects } = grab({ kind: "nodes" });
      return start.alt ? to(gesture, { do: "clone" }, ...effects) : to(gesture, ...effects);
    }
    case "group":
      return grab({ kind: "group", index: hit.index, isCorner: hit.isCorner, isAlone: start.ctrl });
    case "reroute":
      return grab({ kind: "reroute", id: hit.id });
    case "resize":
      return to(
        { kind: "resizing", pointer, id: hit.id, x, y },
        { do: "resize", id: hit.id, dx: moved.dx, dy: moved.dy },
      );
    case "socket":
      return to(
        { kind: "linking", pointer },
        { do: "link-start", from: hit.socket, keep: start.shift },
        { do: "link-move", x: input.x, y: input.y, hit: input.hit },
      );
  }
}

/** The pointer went up where it went down. */
function tap(start: PointerInput, lastTap: Tap | null): Step {
  const { hit, x, y, time } = start;
  const isDouble =
    lastTap !== null && time - lastTap.time < DOUBLE_CLICK_MS && Math.hypot(x - lastTap.x, y - lastTap.y) < TOUCH_DRIFT;
  const next: Gesture = { kind: "idle", lastTap: isDouble ? null : { time, x, y } };
  switch (hit.kind) {
    case "void":
      if (isDouble) return to(next, { do: "search", x, y });
      return start.shift || start.ctrl ? to(next) : to(next, { do: "clear-selection" });
    case "link":
      return isDouble ? to(next, { do: "search", x, y }) : to(next, { do: "link-click", id: hit.id, x, y });
    case "node":
      if (isDouble && hit.isTitle) return to(next, { do: "rename", id: hit.id });
      // Pressing one of several selected nodes keeps them, so that they can be dragged; a click means this one.
      return start.isSelected && !start.shift && !start.ctrl
        ? to(next, { do: "select", id: hit.id, mode: "replace" })
        : to(next);
    case "resize":
      return start.isSelected ? to(next) : to(next, { do: "select", id: hit.id, mode: "replace" });
    case "group":
      return isDouble && !hit.isCorner
        ? to(next, { do: "rename-group", index: hit.index })
        : to(next, { do: "select-group", index: hit.index });
    case "socket":
      return start.ctrl && start.alt ? to(next, { do: "break", socket: hit.socket }) : to(next);
    case "reroute":
      return to(next);
  }
}

function cancel(gesture: Gesture): Step {
  switch (gesture.kind) {
    case "dragging":
      return to(AT_REST, { do: "drag-cancel" });
    case "linking":
      return to(AT_REST, { do: "link-cancel" });
    case "cutting":
      return to(AT_REST, { do: "cut-cancel" });
    case "marquee":
      return to(AT_REST, { do: "marquee-end" });
    case "resizing":
      return to(AT_REST, { do: "resize-end", id: gesture.id });
    case "idle":
    case "pressed":
    case "panning":
    case "zooming":
    case "pinching":
      return to(AT_REST);
  }
}

function isSecondFinger(gesture: { readonly pointer: number }, input: PointerInput): boolean {
  return input.type === "down" && input.isTouch && input.pointer !== gesture.pointer;
}

function pinch(pointer: number, at: Point, input: PointerInput): Step {
  const second = { pointer: input.pointer, at: [input.x, input.y] as const };
  return to({ kind: "pinching", pinch: { first: { pointer, at }, second } });
}

function fromPinching({ first, second }: Pinch, input: PointerInput): Step {
  const isFirst = input.pointer === first.pointer;
  if (!isFirst && input.pointer !== second.pointer) return to({ kind: "pinching", pinch: { first, second } });
  if (input.type === "up") {
    const left = isFirst ? second : first;
    return to({ kind: "panning", pointer: left.pointer, x: left.at[0], y: left.at[1] });
  }
  const moved = { pointer: input.pointer, at: [input.x, input.y] as const };
  const next: Pinch = isFirst ? { first: moved, second } : { first, second: moved };
  const before = spread(first.at, second.at);
  const after = spread(next.first.at, next.second.at);
  return to(
    { kind: "pinching", pinch: next },
    { do: "pan", dx: after.x - before.x, dy: after.y - before.y },
    { do: "zoom", x: after.x, y: after.y, factor: before.distance > 0 ? after.distance / before.distance : 1 },
  );
}

function spread([ax, ay]: Point, [bx, by]: Point): { x: number; y: number; distance: number } {
  return { x: (ax + bx) / 2, y: (ay + by) / 2, distance: Math.hypot(bx - ax, by - ay) };
}
