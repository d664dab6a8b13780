/** Lining nodes up: pure arithmetic on their boxes. */
import type { NodeId, Point } from "./document.ts";

export interface Box {
  readonly id: NodeId;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const ALIGNMENTS = ["left", "center", "right", "top", "middle", "bottom"] as const;
export type Alignment = (typeof ALIGNMENTS)[number];

/** How far each box moves. */
export type Moves = ReadonlyMap<NodeId, Point>;

export function align(boxes: readonly Box[], how: Alignment): Moves {
  const isAcross = how === "left" || how === "center" || how === "right";
  const start = (box: Box): number => (isAcross ? box.x : box.y);
  const length = (box: Box): number => (isAcross ? box.width : box.height);
  const first = Math.min(...boxes.map(start));
  const last = Math.max(...boxes.map((box) => start(box) + length(box)));
  // 0 at the beginning, 1 at the end, a half between.
  const part = how === "left" || how === "top" ? 0 : how === "center" || how === "middle" ? 0.5 : 1;
  const moves = boxes.map((box): [NodeId, Point] => {
    const by = Math.round(first + (last - first - length(box)) * part - start(box));
    return [box.id, isAcross ? [by, 0] : [0, by]];
  });
  return new Map(moves);
}

/** Equal gaps between boxes, the outermost staying where they are; boxes that are too long for that get none. */
export function distribute(boxes: readonly Box[], isAcross: boolean): Moves {
  const start = (box: Box): number => (isAcross ? box.x : box.y);
  const length = (box: Box): number => (isAcross ? box.width : box.height);
  const sorted = [...boxes].sort((a, b) => start(a) - start(b));
  const [first] = sorted;
  const last = sorted.at(-1);
  if (!first || !last || sorted.length < 3) return new Map();
  const whole = start(last) + length(last) - start(first);
  const gap = Math.max(0, (whole - sorted.reduce((sum, box) => sum + length(box), 0)) / (sorted.length - 1));
  let at = start(first);
  const moves = new Map<NodeId, Point>();
  for (const box of sorted) {
    const by = Math.round(at - start(box));
    moves.set(box.id, isAcross ? [by, 0] : [0, by]);
    at += length(box) + gap;
  }
  return moves;
}
