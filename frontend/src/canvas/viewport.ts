/** Where the canvas looks: screen = world * scale + offset. Pure arithmetic. */
import type { Point } from "../graph/document.ts";

export interface Viewport {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const MIN_SCALE = 0.05;
export const MAX_SCALE = 4;

export function toWorld(viewport: Viewport, [x, y]: Point): Point {
  return [(x - viewport.x) / viewport.scale, (y - viewport.y) / viewport.scale];
}

export function toScreen(viewport: Viewport, [x, y]: Point): Point {
  return [x * viewport.scale + viewport.x, y * viewport.scale + viewport.y];
}

/** Zooms so that the world point under (x, y) stays there. */
export function zoomAt(viewport: Viewport, x: number, y: number, factor: number): Viewport {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, viewport.scale * factor));
  const ratio = scale / viewport.scale;
  return { x: x - (x - viewport.x) * ratio, y: y - (y - viewport.y) * ratio, scale };
}

/** The view that shows `rect` whole and centred, never larger than `largest`. */
export function fitRect(rect: Rect, width: number, height: number, largest = 1): Viewport {
  const margin = 48;
  const scale = Math.max(
    MIN_SCALE,
    Math.min(largest, (width - 2 * margin) / Math.max(1, rect.width), (height - 2 * margin) / Math.max(1, rect.height)),
  );
  return {
    x: width / 2 - (rect.x + rect.width / 2) * scale,
    y: height / 2 - (rect.y + rect.height / 2) * scale,
    scale,
  };
}

export function union(rects: readonly Rect[]): Rect | null {
  const first = rects[0];
  if (!first) return null;
  let [left, top, right, bottom] = [first.x, first.y, first.x + first.width, first.y + first.height];
  for (const { x, y, width, height } of rects) {
    left = Math.min(left, x);
    top = Math.min(top, y);
    right = Math.max(right, x + width);
    bottom = Math.max(bottom, y + height);
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

export function overlaps(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

export function contains(rect: Rect, [x, y]: Point): boolean {
  return x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
}

export function rectOf([ax, ay]: Point, [bx, by]: Point): Rect {
  return { x: Math.min(ax, bx), y: Math.min(ay, by), width: Math.abs(ax - bx), height: Math.abs(ay - by) };
}
