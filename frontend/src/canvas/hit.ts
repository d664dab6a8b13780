/** What lies under a point of the world. Geometry only, so distant nodes without a DOM body are hit as well. */
import type { LinkId, NodeId, Point } from "../graph/document.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { NodeBox } from "./geometry.ts";
import { curveOf, pointOn, type Scene } from "./scene.ts";
import { contains } from "./viewport.ts";

export type Hit =
  | { readonly kind: "void" }
  | { readonly kind: "node"; readonly id: NodeId; readonly isTitle: boolean }
  | { readonly kind: "resize"; readonly id: NodeId }
  | { readonly kind: "socket"; readonly socket: SocketRef }
  | { readonly kind: "link"; readonly id: LinkId };

const SOCKET_REACH = 11;
const LABEL_REACH = 60;
const LINK_REACH = 7;
const RESIZE_REACH = 12;

/** `order` is back to front. `scale` keeps the reach of links usable when zoomed out. */
export function hitTest(scene: Scene, order: readonly NodeId[], at: Point, scale: number): Hit {
  for (let index = order.length - 1; index >= 0; index -= 1) {
    const box = scene.boxes.get(order[index] as NodeId);
    if (!box) continue;
    const hit = hitNode(box, at);
    if (hit) return hit;
  }
  return hitLink(scene, at, scale) ?? { kind: "void" };
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

function hitLink(scene: Scene, [x, y]: Point, scale: number): Hit | null {
  const reach = LINK_REACH / Math.min(1, scale);
  for (const link of scene.links) {
    const curve = curveOf(scene, link);
    if (!curve) continue;
    const { from, to } = curve;
    const slack = 170 + reach;
    if (x < Math.min(from[0], to[0]) - slack || x > Math.max(from[0], to[0]) + slack) continue;
    if (y < Math.min(from[1], to[1]) - reach || y > Math.max(from[1], to[1]) + reach) continue;
    let before = from;
    for (let step = 1; step <= 24; step += 1) {
      const point = pointOn(from, to, step / 24);
      if (distance([x, y], before, point) <= reach) return { kind: "link", id: link.id };
      before = point;
    }
  }
  return null;
}

/** From a point to a segment. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length));
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}
