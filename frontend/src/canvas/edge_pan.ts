/** The view follows a drag that comes to the canvas's edge. Pure; gestures.ts asks once a frame. */
import type { Point } from "../graph/document.ts";

const MARGIN = 36;
const FASTEST = 14;

/** Pixels a frame that the view moves, for a pointer at `at` on a canvas of this size. */
export function edgeSpeed([x, y]: Point, [width, height]: Point): Point {
  return [speed(x, width), speed(y, height)];
}

function speed(at: number, length: number): number {
  if (length < 4 * MARGIN) return 0;
  const depth = at < MARGIN ? MARGIN - at : at > length - MARGIN ? length - MARGIN - at : 0;
  return Math.sign(depth) * Math.min(FASTEST, Math.abs(depth) * (FASTEST / MARGIN));
}
