/** What the canvas shows below the nodes: grid, groups, links and their points. */
import { type Group, type LinkId, type NodeId, reroutesOf, type WorkflowDocument } from "../graph/document.ts";
import { type Curve, traceCurve } from "./curves.ts";
import { groupFont } from "./geometry.ts";
import type { Palette } from "./palette.ts";
import type { Viewport } from "./viewport.ts";

type Pen = CanvasRenderingContext2D;

export function drawGrid(pen: Pen, viewport: Viewport, width: number, height: number, palette: Palette): void {
  pen.fillStyle = palette.background;
  pen.fillRect(0, 0, width, height);
  let gap = 24;
  while (gap * viewport.scale < 16) gap *= 4;
  const step = gap * viewport.scale;
  const dot = Math.min(1.6, Math.max(0.9, viewport.scale * 1.2));
  pen.fillStyle = palette.dot;
  pen.beginPath();
  for (let x = viewport.x % step; x < width; x += step) {
    for (let y = viewport.y % step; y < height; y += step) pen.rect(x - dot / 2, y - dot / 2, dot, dot);
  }
  pen.fill();
}

/** `isShown` leaves groups out. */
export function drawGroups(
  pen: Pen,
  groups: readonly Group[],
  selected: number | null,
  palette: Palette,
  isShown: (index: number) => boolean,
): void {
  for (const [index, group] of groups.entries()) {
    if (!isShown(index)) continue;
    const { bounding, title, color } = group;
    const [x, y, width, height] = bounding;
    const colour = color ?? palette.group;
    pen.globalAlpha = palette.isDark ? 0.16 : 0.12;
    pen.fillStyle = colour;
    pen.beginPath();
    pen.roundRect(x, y, width, height, 10);
    pen.fill();
    pen.globalAlpha = 0.55;
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.stroke();
    drawGroupCorner(pen, group);
    if (index === selected) {
      pen.globalAlpha = 1;
      pen.strokeStyle = palette.accent;
      pen.stroke();
    }
    const size = groupFont(group);
    pen.font = `600 ${size}px system-ui, sans-serif`;
    pen.textBaseline = "top";
    pen.fillStyle = palette.text;
    pen.globalAlpha = 0.7;
    pen.fillText(title, x + 10, y + 8, Math.max(20, width - 20));
    pen.globalAlpha = 1;
  }
}

/** Where it is taken to resize the group. */
function drawGroupCorner(pen: Pen, { bounding: [x, y, width, height] }: Group): void {
  const [right, bottom] = [x + width - 4, y + height - 4];
  const corner = new Path2D(
    `M${right - 10},${bottom} L${right},${bottom - 10} M${right - 4},${bottom} L${right},${bottom - 4}`,
  );
  pen.stroke(corner);
}

export interface LinkLooks {
  /** Where a dragged node would be put in, or what a stroke would cut. */
  readonly marked: ReadonlySet<LinkId>;
  readonly selection: ReadonlySet<NodeId>;
  readonly scale: number;
}

/** Below this scale a link is one thin line without an edge of its own. */
const THIN = 0.4;

/** Links of one colour are one path. Those of selected nodes stand out. */
export function drawLinks(pen: Pen, curves: readonly Curve[], palette: Palette, looks: LinkLooks): void {
  const batches = new Map<string, Path2D>();
  const strong = new Map<string, Path2D>();
  const marked = new Path2D();
  for (const curve of curves) {
    const { link } = curve;
    if (looks.marked.has(link.id)) traceCurve(marked, curve);
    const isStrong = looks.selection.has(link.source) || looks.selection.has(link.target);
    const target = isStrong ? strong : batches;
    const colour = palette.colourOf(link.type);
    const path = target.get(colour) ?? new Path2D();
    target.set(colour, path);
    traceCurve(path, curve);
  }
  const { scale } = looks;
  // Lines of less than a pixel are drawn much faster than others, and look the same from afar.
  const width = scale < THIN ? 0.95 / scale : 2;
  const halo = scale < THIN ? null : palette.background;
  if (looks.marked.size > 0) strokeLinks(pen, marked, palette.accent, { width: width * 4, alpha: 0.7, halo });
  const alpha = looks.selection.size > 0 ? 0.6 : 0.9;
  for (const [colour, path] of batches) strokeLinks(pen, path, colour, { width, alpha, halo });
  for (const [colour, path] of strong) strokeLinks(pen, path, colour, { width: width * 1.4, alpha: 1, halo });
  pen.globalAlpha = 1;
}

interface Stroke {
  readonly width: number;
  readonly alpha: number;
  readonly halo: string | null;
}

function strokeLinks(pen: Pen, path: Path2D, colour: string, { width, alpha, halo }: Stroke): void {
  if (halo !== null) {
    pen.globalAlpha = 0.5;
    pen.strokeStyle = halo;
    pen.lineWidth = width + 2;
    pen.stroke(path);
  }
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke(path);
}

/** A dot where a link can be taken and moved. */
export function drawReroutes(
  pen: Pen,
  curves: readonly Curve[],
  reroutes: WorkflowDocument["reroutes"],
  palette: Palette,
  scale: number,
): void {
  const radius = Math.max(6, 4 / scale);
  const drawn = new Set<number>();
  for (const { link } of curves) {
    if (link.via === null) continue;
    for (const { id, pos } of reroutesOf({ reroutes }, link)) {
      if (drawn.has(id)) continue;
      drawn.add(id);
      pen.beginPath();
      pen.arc(pos[0], pos[1], radius, 0, 2 * Math.PI);
      pen.fillStyle = palette.colourOf(link.type);
      pen.fill();
      pen.lineWidth = 2;
      pen.strokeStyle = palette.background;
      pen.stroke();
    }
  }
}
