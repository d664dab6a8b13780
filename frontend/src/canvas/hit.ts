/** What lies under a point of the world. Geometry only, so distant nodes without a DOM body are hit as well. */
import type { LinkId, NodeId, Point, RerouteId } from "../graph/document.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { NodeBox } from "./geometry.ts";
import { groupTitle } from "./geometry.ts";
import { partsOf, pointOn, SLACK } from "./curves.ts";
import { type Scene } from "./scene.ts";
import { contains, overlaps, type Rect, rectOf } from "./viewport.ts";

export type Hit =
  | { readonly kind: "void" }
  | { readonly kind: "node"; readonly id: NodeId; readonly isTitle: boolean }
  | { readonly kind: "resize"; readonly id: NodeId }
  | { readonly kind: "socket"; readonly socket: SocketRef }
  | { readonly kind: "reroute"; readonly id: RerouteId }
  /** `part` counts the points of the link before the place that was hit. */
  | { readonly kind: "link"; readonly id: LinkId; readonly part: number }
  /** The inside of a group is the canvas's, so that a drag there selects. */
  | { readonly kind: "group"; readonly index: number; readonly isCorner: boolean };

const SOCKET_REACH = 11;
const LABEL_REACH = 60;
const LINK_REACH = 7;
const RESIZE_REACH = 12;
const REROUTE_REACH = 9;
const GROUP_CORNER = 16;

/** `order` is back to front. `scale` keeps the reach of links usable when zoomed out. */
export function hitTest(scene: Scene, order: readonly NodeId[], at: Point, scale: number): Hit {
  for (let index = order.length - 1; index >= 0; index -= 1) {
    const box = scene.boxes.get(order[index] as NodeId);
    if (!box) continue;
    const hit = hitNode(box, at);
    if (hit) return hit;
  }
  return hitReroute(scene, at, scale) ?? hitLink(scene, at, scale) ?? hitGroup(scene, at) ?? { kind: "void" };
}

function hitReroute({ document }: Scene, [x, y]: Point, scale: number): Hit | null {
  const reach = REROUTE_REACH / Math.min(1, scale);
  const found = Object.values(document.reroutes).find(({ pos }) => Math.hypot(pos[0] - x, pos[1] - y) <= reach);
  return found ? { kind: "reroute", id: found.id } : null;
}

/** By its title or its corner; the smallest of several. */
function hitGroup({ document }: Scene, [px, py]: Point): Hit | null {
  let found: { area: number; hit: Hit } | null = null;
  document.groups.forEach((group, index) => {
    const [x, y, width, height] = group.bounding;
    const isTitle = contains({ x, y, width, height: groupTitle(group) }, [px, py]);
    const corner = {
      x: x + width - GROUP_CORNER,
      y: y + height - GROUP_CORNER,
      width: GROUP_CORNER,
      height: GROUP_CORNER,
    };
    const isCorner = contains(corner, [px, py]);
    const area = width * height;
    if ((isTitle || isCorner) && (!found || area <= found.area))
      found = { area, hit: { kind: "group", index, isCorner } };
  });
  return (found as { hit: Hit } | null)?.hit ?? null;
}

function hitNode(box: NodeBox, [x, y]: Point): Hit | null {
  const { rect } = box;
  if (
    !contains({ x: rect.x - SOCKET_REACH, y: rect.y, width: rect.width + 2 * SOCKET_REACH, height: rect.height }, [
      x,
      y,
    ])
  )
    return null;
  const [dx, dy] = [x - rect.x, y - rect.y - box.title];
  const socket = hitSocket(box, dx, dy);
  if (socket) return { kind: "socket", socket };
  if (!contains(rect, [x, y])) return null;
  const atCorner = dx > box.width - RESIZE_REACH && dy > box.height - RESIZE_REACH;
  if (atCorner && !box.isCollapsed && box.title > 0) return { kind: "resize", id: box.id };
  return { kind: "node", id: box.id, isTitle: dy < 0 };
}

function hitSocket(box: NodeBox, dx: number, dy: number): SocketRef | null {
  for (const side of ["output", "input"] as const) {
    const placed = side === "output" ? box.outputs : box.inputs;
    for (const { socket, index, x, y } of placed) {
      const inward = side === "output" ? x - dx : dx - x;
      // A plain socket is also taken by its label, a widget's only by its dot: beside it is the widget.
      const isPlain = !("widget" in socket) || socket.widget === null;
      const reach = isPlain && !box.isCollapsed && box.title > 0 ? LABEL_REACH : SOCKET_REACH;
      if (Math.abs(dy - y) <= (isPlain ? 10 : SOCKET_REACH) && inward >= -SOCKET_REACH && inward <= reach) {
        return { node: box.id, side, index };
      }
    }
  }
  return null;
}

/** `allows` leaves links out. */
export function hitLink(scene: Scene, at: Point, scale: number, allows?: (id: LinkId) => boolean): Hit | null {
  const reach = LINK_REACH / Math.min(1, scale);
  const near = { x: at[0] - reach, y: at[1] - reach, width: 2 * reach, height: 2 * reach };
  for (const curve of scene.index.curvesIn(near)) {
    if (allows?.(curve.link.id) === false) continue;
    const part = partsOf(curve).findIndex(([from, to]) => isNear(at, from, to, reach));
    if (part >= 0) return { kind: "link", id: curve.link.id, part };
  }
  return null;
}

const STEPS = 24;

function isNear([x, y]: Point, from: Point, to: Point, reach: number): boolean {
  const slack = SLACK + reach;
  if (x < Math.min(from[0], to[0]) - slack || x > Math.max(from[0], to[0]) + slack) return false;
  if (y < Math.min(from[1], to[1]) - reach || y > Math.max(from[1], to[1]) + reach) return false;
  let before = from;
  for (let step = 1; step <= STEPS; step += 1) {
    const point = pointOn(from, to, step / STEPS);
    if (distance([x, y], before, point) <= reach) return true;
    before = point;
  }
  return false;
}

/** The links that a stroke between two points of the world goes across. */
export function linksAcross(scene: Scene, from: Point, to: Point): LinkId[] {
  const near = grown(rectOf(from, to), 1);
  return scene.index
    .curvesIn(near)
    .filter((curve) => partsOf(curve).some(([start, end]) => crosses(start, end, from, to)))
    .map((curve) => curve.link.id);
}

function crosses(start: Point, end: Point, from: Point, to: Point): boolean {
  // Most links are nowhere near, and this is asked at every move of a drag.
  if (!overlaps(grown(rectOf(start, end), SLACK), grown(rectOf(from, to), 1))) return false;
  let before = start;
  for (let step = 1; step <= STEPS; step += 1) {
    const point = pointOn(start, end, step / STEPS);
    if (side(before, point, from) !== side(before, point, to) && side(from, to, before) !== side(from, to, point))
      return true;
    before = point;
  }
  return false;
}

function grown({ x, y, width, height }: Rect, by: number): Rect {
  return { x: x - by, y: y - by, width: width + 2 * by, height: height + 2 * by };
}

/** On which side of the line through a and b a point lies. */
function side([ax, ay]: Point, [bx, by]: Point, [x, y]: Point): boolean {
  return (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0;
}

/** From a point to a segment. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
