/** What the one 2D canvas shows: grid, groups, links, and nodes that are too far or too new for a DOM body. */
import { type Group, type GraphNode, type LinkId, type NodeId, type Point, reroutesOf } from "../graph/document.ts";
import type { NodeRun } from "../store/run_state.ts";
import { groupFont, type NodeBox } from "./geometry.ts";
import { type Palette, typeColour } from "./palette.ts";
import { bend, curveOf, partsOf, type Scene } from "./scene.ts";
import { overlaps, type Rect, type Viewport } from "./viewport.ts";

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

export function drawGroups(pen: Pen, groups: readonly Group[], selected: number | null, palette: Palette): void {
  for (const [index, group] of groups.entries()) {
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
  readonly hidden: LinkId | null;
  /** Where a dragged node would be put in, or what a stroke would cut. */
  readonly marked: ReadonlySet<LinkId>;
  readonly selection: ReadonlySet<NodeId>;
  readonly visible: Rect;
  readonly scale: number;
}

/** Links of one colour are one path. Those of selected nodes stand out. */
export function drawLinks(pen: Pen, scene: Scene, palette: Palette, looks: LinkLooks): void {
  const batches = new Map<string, Path2D>();
  const strong = new Map<string, Path2D>();
  const marked = new Path2D();
  for (const link of scene.links) {
    if (link.id === looks.hidden) continue;
    const curve = curveOf(scene, link);
    if (curve && looks.marked.has(link.id)) for (const [from, to] of partsOf(curve)) traceLink(marked, from, to);
    if (!curve || !partsOf(curve).some(([from, to]) => overlaps(boundsOf(from, to), looks.visible))) continue;
    const colour = typeColour(link.type, palette.isDark);
    const isStrong = looks.selection.has(link.source) || looks.selection.has(link.target);
    const target = isStrong ? strong : batches;
    const path = target.get(colour) ?? new Path2D();
    target.set(colour, path);
    for (const [from, to] of partsOf(curve)) traceLink(path, from, to);
  }
  const thin = Math.max(2, 1.2 / looks.scale);
  if (looks.marked.size > 0) strokeLink(pen, marked, palette.accent, palette, thin * 4, 0.7);
  for (const [colour, path] of batches)
    strokeLink(pen, path, colour, palette, thin, looks.selection.size > 0 ? 0.6 : 0.9);
  for (const [colour, path] of strong) strokeLink(pen, path, colour, palette, thin * 1.4, 1);
  drawReroutes(pen, scene, palette, looks);
}

/** A dot where a link can be taken and moved. */
function drawReroutes(pen: Pen, scene: Scene, palette: Palette, { scale, hidden }: LinkLooks): void {
  if (Object.keys(scene.document.reroutes).length === 0) return;
  const radius = Math.max(6, 4 / scale);
  const drawn = new Set<number>();
  for (const link of scene.links) {
    if (link.via === null || link.id === hidden) continue;
    for (const { id, pos } of reroutesOf(scene.document, link)) {
      if (drawn.has(id)) continue;
      drawn.add(id);
      pen.beginPath();
      pen.arc(pos[0], pos[1], radius, 0, 2 * Math.PI);
      pen.fillStyle = typeColour(link.type, palette.isDark);
      pen.fill();
      pen.lineWidth = 2;
      pen.strokeStyle = palette.background;
      pen.stroke();
    }
  }
}

function strokeLink(pen: Pen, path: Path2D, colour: string, palette: Palette, width: number, alpha: number): void {
  pen.globalAlpha = 0.5;
  pen.strokeStyle = palette.background;
  pen.lineWidth = width + 2;
  pen.stroke(path);
  pen.globalAlpha = alpha;
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.stroke(path);
  pen.globalAlpha = 1;
}

export function traceLink(path: Path2D, from: Point, to: Point): void {
  const reach = bend(from, to);
  path.moveTo(from[0], from[1]);
  path.bezierCurveTo(from[0] + reach, from[1], to[0] - reach, to[1], to[0], to[1]);
}

function boundsOf(from: Point, to: Point): Rect {
  const x = Math.min(from[0], to[0]) - 170;
  const y = Math.min(from[1], to[1]) - 4;
  return { x, y, width: Math.abs(from[0] - to[0]) + 340, height: Math.abs(from[1] - to[1]) + 8 };
}

export interface NodeLooks {
  readonly title: string;
  readonly isSelected: boolean;
  readonly run: NodeRun | undefined;
  readonly scale: number;
}

/** A node without a DOM body: a box, a title bar in the colour of what it gives, its state. */
export function drawNode(pen: Pen, box: NodeBox, node: GraphNode, palette: Palette, looks: NodeLooks): void {
  const { x, y, width, height } = box.rect;
  pen.globalAlpha = node.mode === 2 || node.mode === 4 ? 0.45 : 1;
  pen.fillStyle = palette.far;
  pen.beginPath();
  pen.roundRect(x, y, width, height, 8);
  pen.fill();
  if (box.title > 0) {
    pen.fillStyle = node.color ?? typeColour((box.outputs[0] ?? box.inputs[0])?.socket.type ?? "*", palette.isDark);
    pen.globalAlpha *= palette.isDark ? 0.5 : 0.6;
    pen.beginPath();
    pen.roundRect(x, y, width, box.title, box.isCollapsed ? 8 : [8, 8, 0, 0]);
    pen.fill();
    pen.globalAlpha = node.mode === 2 || node.mode === 4 ? 0.45 : 1;
  }
  drawOutline(pen, box, palette, looks);
  drawTitle(pen, box, palette, looks);
  pen.globalAlpha = 1;
}

/** In the title bar while that is legible, else across the box as large as it allows. */
function drawTitle(pen: Pen, box: NodeBox, palette: Palette, { title, scale }: NodeLooks): void {
  const { x, y, width, height } = box.rect;
  if (width * scale < 30 || box.title === 0) return;
  const isInBar = scale > 0.45;
  const size = isInBar ? 13 : Math.min(10.5 / scale, height * 0.5);
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textBaseline = isInBar ? "middle" : "top";
  pen.fillStyle = palette.text;
  pen.save();
  pen.beginPath();
  pen.rect(x, y, width - 4, height);
  pen.clip();
  pen.fillText(title, x + (isInBar ? 27 : size * 0.4), isInBar ? y + box.title / 2 : y + box.title + size * 0.3);
  pen.restore();
}

function drawOutline(pen: Pen, { rect }: NodeBox, palette: Palette, { isSelected, run, scale }: NodeLooks): void {
  const state = run?.state;
  const marks = { running: palette.running, error: palette.error, cached: null, done: null, waiting: null };
  const colour = (state && marks[state]) ?? (isSelected ? palette.accent : null);
  pen.strokeStyle = colour ?? palette.farBorder;
  pen.lineWidth = colour === null ? Math.max(1, 0.8 / scale) : Math.max(2, 2 / scale);
  pen.beginPath();
  pen.roundRect(rect.x, rect.y, rect.width, rect.height, 8);
  pen.stroke();
}
