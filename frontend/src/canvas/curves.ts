/** The curves that links are drawn along. Pure arithmetic; drawing and hit-testing share it. */
import { type Link, type NodeId, type Point, reroutesOf, type WorkflowDocument } from "../graph/document.ts";
import type { NodeBox } from "./geometry.ts";
import { type Rect, union } from "./viewport.ts";

/** A link as it is drawn: from its output over its reroutes to its input. */
export interface Curve {
  readonly link: Link;
  readonly points: readonly Point[];
  /** All that it may cover. */
  readonly bounds: Rect;
}

/** How far a curve goes beyond its ends, horizontally. */
export const SLACK = 170;

type BoxOf = (id: NodeId) => NodeBox | undefined;

export function makeCurve(boxOf: BoxOf, reroutes: WorkflowDocument["reroutes"], link: Link): Curve | null {
  const source = boxOf(link.source);
  const target = boxOf(link.target);
  if (!source || !target) return null;
  const output = source.outputs[link.output];
  const input = target.inputs.find((placed) => placed.socket.name === link.input);
  const from: Point = output
    ? [source.rect.x + output.x, source.rect.y + source.title + output.y]
    : [source.rect.x + source.width, source.rect.y + source.title];
  const to: Point = input
    ? [target.rect.x + input.x, target.rect.y + target.title + input.y]
    : [target.rect.x, target.rect.y + target.title];
  if (link.via === null) return { link, points: [from, to], bounds: boundsOf(from, to) };
  const points = [from, ...reroutesOf({ reroutes }, link).map((reroute) => reroute.pos), to];
  const parts = points.slice(1).map((end, index) => boundsOf(points[index] ?? end, end));
  return { link, points, bounds: union(parts) ?? boundsOf(from, to) };
}

function boundsOf(from: Point, to: Point): Rect {
  const x = Math.min(from[0], to[0]) - SLACK;
  const y = Math.min(from[1], to[1]) - 4;
  return { x, y, width: Math.abs(from[0] - to[0]) + 2 * SLACK, height: Math.abs(from[1] - to[1]) + 8 };
}

/** The parts of a curve, each from one point to the next. */
export function partsOf({ points }: Pick<Curve, "points">): readonly (readonly [from: Point, to: Point])[] {
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

/** Adds the curve's parts to a path. */
export function traceCurve(path: Path2D, { points }: Pick<Curve, "points">): void {
  for (let index = 1; index < points.length; index += 1) {
    const [from, to] = [points[index - 1] as Point, points[index] as Point];
    const reach = bend(from, to);
    path.moveTo(from[0], from[1]);
    path.bezierCurveTo(from[0] + reach, from[1], to[0] - reach, to[1], to[0], to[1]);
  }
}
