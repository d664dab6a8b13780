/**
 * Nodes on the canvas: those that are too far away or too new for a DOM body, or whose body rests while the view
 * moves. From afar they are drawn together, one path for all of a colour; near, one after the other with sockets and
 * widgets, so that a body changes little.
 */
import { BYPASSED, type GraphNode, MUTED } from "../graph/document.ts";
import { writeJson } from "../graph/json.ts";
import { widgetsOf } from "../graph/widgets.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { NodeRun } from "../store/run_state.ts";
import { isMultiline, type NodeBox, TITLE } from "./geometry.ts";
import type { Palette } from "./palette.ts";

type Pen = CanvasRenderingContext2D;

export interface DrawnNode {
  readonly box: NodeBox;
  readonly node: GraphNode;
  readonly definition: NodeDefinition | undefined;
  readonly isSelected: boolean;
  readonly run: NodeRun | undefined;
  /** What its body shows, if it has one. */
  readonly pictures: readonly HTMLImageElement[];
}

/** From here on a node is drawn by itself, with all that is written on it. */
const NEAR = 0.6;
/** From here on sockets and the fields of widgets are seen. */
const DETAILED = 0.3;
/** Pixels that a node must be wide for its title to be read. */
const TITLED = 30;
const RADIUS = 8;
const FONT = "600 13px system-ui, sans-serif";

/** `nodes` back to front. */
export function drawNodes(pen: Pen, nodes: readonly DrawnNode[], palette: Palette, scale: number): void {
  if (scale >= NEAR) {
    for (const drawn of nodes) drawNear(pen, drawn, palette, scale);
    return;
  }
  const isFaint = ({ node }: DrawnNode): boolean => node.mode === MUTED || node.mode === BYPASSED;
  const solid = nodes.filter((drawn) => !isFaint(drawn));
  drawFar(pen, solid, palette, scale);
  if (solid.length < nodes.length) {
    pen.globalAlpha = 0.45;
    drawFar(pen, nodes.filter(isFaint), palette, scale);
    pen.globalAlpha = 1;
  }
}

/** Boxes, title bars in the colour of what a node gives, states, names. */
function drawFar(pen: Pen, nodes: readonly DrawnNode[], palette: Palette, scale: number): void {
  const alpha = pen.globalAlpha;
  const bodies = new Path2D();
  const titles = new Map<string, Path2D>();
  for (const { box, node } of nodes) {
    const { x, y, width, height } = box.rect;
    bodies.rect(x, y, width, height);
    if (box.title === 0) continue;
    const colour = titleColour(box, node, palette);
    const path = titles.get(colour) ?? new Path2D();
    titles.set(colour, path);
    path.rect(x, y, width, box.title);
  }
  pen.fillStyle = scale >= DETAILED ? palette.node : palette.far;
  // A path, which the linter takes for an array's new content.
  // oxlint-disable-next-line no-array-fill-with-reference-type
  pen.fill(bodies);
  pen.globalAlpha = alpha * (palette.isDark ? 0.5 : 0.6);
  for (const [colour, path] of titles) {
    pen.fillStyle = colour;
    pen.fill(path);
  }
  pen.globalAlpha = alpha;
  pen.strokeStyle = palette.farBorder;
  pen.lineWidth = 0.95 / scale;
  pen.stroke(bodies);
  for (const drawn of nodes) {
    const colour = markOf(drawn, palette);
    if (colour !== null) outline(pen, drawn.box, colour, 2 / scale);
  }
  if (scale >= DETAILED) {
    drawDetails(pen, nodes, palette);
    for (const drawn of nodes) drawPictures(pen, drawn);
  }
  drawNames(pen, nodes, palette, scale);
}

/** Fields and sockets of all nodes, without words. */
function drawDetails(pen: Pen, nodes: readonly DrawnNode[], palette: Palette): void {
  pen.fillStyle = palette.background;
  pen.beginPath();
  const dots = new Map<string, Path2D>();
  for (const { box } of nodes) {
    if (box.isCollapsed) continue;
    const [left, top] = [box.rect.x, box.rect.y + box.title];
    for (const { y, height } of box.widgets) pen.rect(left + 10, top + y + 1, box.width - 20, height - 4);
    for (const { socket, x, y } of [...box.inputs, ...box.outputs]) {
      if ("widget" in socket && socket.widget !== null) continue;
      const colour = palette.colourOf(socket.type);
      const path = dots.get(colour) ?? new Path2D();
      dots.set(colour, path);
      path.rect(left + x - 4, top + y - 4, 8, 8);
    }
  }
  pen.fill();
  for (const [colour, path] of dots) {
    pen.fillStyle = colour;
    pen.fill(path);
  }
}

/** In the title bar where that can be read, else across the box, as large as it allows. */
function drawNames(pen: Pen, nodes: readonly DrawnNode[], palette: Palette, scale: number): void {
  const named = nodes.filter(({ box }) => box.title > 0 && box.rect.width * scale >= TITLED);
  if (named.length === 0) return;
  pen.fillStyle = palette.text;
  pen.textBaseline = "top";
  let known = 0;
  for (const drawn of named) {
    const { x, y, width, height } = drawn.box.rect;
    const isInBar = scale >= DETAILED;
    const size = isInBar ? Math.min(20, 6.5 / scale) : Math.min(10.5 / scale, height * 0.5);
    if (size !== known) pen.font = `600 ${size}px system-ui, sans-serif`;
    known = size;
    const text = shortened(titleOf(drawn), width - size * 0.8, size);
    pen.fillText(text, x + size * 0.4, isInBar ? y + (TITLE - size) / 2 : y + drawn.box.title + size * 0.3);
  }
}

function drawNear(pen: Pen, drawn: DrawnNode, palette: Palette, scale: number): void {
  const { box, node } = drawn;
  const { x, y, width, height } = box.rect;
  const alpha = node.mode === MUTED || node.mode === BYPASSED ? 0.45 : 1;
  pen.globalAlpha = alpha;
  pen.fillStyle = palette.node;
  pen.beginPath();
  pen.roundRect(x, y, width, height, RADIUS);
  pen.fill();
  if (box.title > 0) drawTitleBar(pen, drawn, palette, alpha);
  const mark = markOf(drawn, palette);
  outline(pen, box, mark ?? palette.border, mark === null ? 1 : Math.max(2, 2 / scale));
  if (!box.isCollapsed) {
    drawWidgets(pen, drawn, palette);
    drawSockets(pen, drawn, palette);
    drawPictures(pen, drawn);
  }
  pen.globalAlpha = 1;
}

function drawTitleBar(pen: Pen, drawn: DrawnNode, palette: Palette, alpha: number): void {
  const { box, node } = drawn;
  const { x, y, width } = box.rect;
  pen.fillStyle = palette.title;
  pen.beginPath();
  pen.roundRect(x, y, width, box.title, box.isCollapsed ? RADIUS : [RADIUS, RADIUS, 0, 0]);
  pen.fill();
  if (node.color !== null) {
    pen.globalAlpha = alpha * 0.55;
    pen.fillStyle = node.color;
    pen.fill();
    pen.globalAlpha = alpha;
  }
  pen.fillStyle = titleColour(box, { color: null }, palette);
  pen.beginPath();
  pen.roundRect(x + 10, y + box.title / 2 - 4, 8, 8, 2);
  pen.fill();
  pen.font = FONT;
  pen.textBaseline = "middle";
  pen.fillStyle = palette.text;
  pen.fillText(shortened(titleOf(drawn), width - 36, 13), x + 27, y + box.title / 2);
}

function drawWidgets(pen: Pen, { box, node, definition }: DrawnNode, palette: Palette): void {
  if (box.widgets.length === 0 && !box.more) return;
  const { values } = widgetsOf(node, definition);
  const [left, top] = [box.rect.x, box.rect.y + box.title];
  pen.fillStyle = palette.background;
  pen.beginPath();
  for (const { y, height } of box.widgets) pen.roundRect(left + 10, top + y + 1, box.width - 20, height - 4, 5);
  pen.fill();
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  pen.fillStyle = palette.text;
  for (const { entry, y } of box.widgets) {
    const value = values[entry.key] ?? null;
    const shown = typeof value === "string" ? value : writeJson(value);
    const isText = entry.input.widget === "text";
    const name = isMultiline(entry) ? "" : (entry.input.name.split(".").at(-1) ?? "");
    const room = box.width - 40 - name.length * 12 * 0.56;
    pen.fillText(name, left + 18, top + y + 11);
    pen.textAlign = isText ? "left" : "right";
    const x = isText ? left + (name === "" ? 18 : 26 + name.length * 12 * 0.56) : left + box.width - 18;
    pen.fillText(shortened(shown, room, 12), x, top + y + 11);
    pen.textAlign = "left";
  }
  if (box.more)
    pen.fillText(box.more.hidden > 0 ? `${box.more.hidden} more` : "Less", left + 18, top + box.more.y + 11);
}

function drawSockets(pen: Pen, { box }: DrawnNode, palette: Palette): void {
  const [left, top] = [box.rect.x, box.rect.y + box.title];
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  for (const { socket, x, y } of [...box.inputs, ...box.outputs]) {
    if ("widget" in socket && socket.widget !== null) continue;
    pen.fillStyle = palette.colourOf(socket.type);
    pen.beginPath();
    pen.arc(left + x, top + y, 5, 0, 2 * Math.PI);
    pen.fill();
  }
  if (box.title === 0) return;
  pen.fillStyle = palette.text;
  for (const { socket, x, y } of box.inputs)
    if (socket.widget === null) pen.fillText(shortened(socket.label, box.width * 0.6, 12), left + x + 12, top + y);
  pen.textAlign = "right";
  for (const { socket, x, y } of box.outputs)
    pen.fillText(shortened(socket.label, box.width * 0.6, 12), left + x - 12, top + y);
  pen.textAlign = "left";
}

/** Whole, beside each other, in the room that the body has for them. */
function drawPictures(pen: Pen, { box, pictures }: DrawnNode): void {
  if (!box.picture) return;
  const shown = pictures.filter((picture) => picture.complete && picture.naturalWidth > 0);
  const [left, top] = [box.rect.x + 8, box.rect.y + box.title + box.picture.y];
  const [width, height] = [(box.width - 16) / Math.max(1, shown.length), box.picture.height];
  for (const [index, picture] of shown.entries()) {
    const scale = Math.min(width / picture.naturalWidth, height / picture.naturalHeight);
    const [w, h] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
    pen.drawImage(picture, left + index * width + (width - w) / 2, top + (height - h) / 2, w, h);
  }
}

function outline(pen: Pen, { rect }: NodeBox, colour: string, width: number): void {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.roundRect(rect.x, rect.y, rect.width, rect.height, RADIUS);
  pen.stroke();
}

function titleOf({ node, definition }: DrawnNode): string {
  return node.title ?? definition?.displayName ?? node.type;
}

function titleColour(box: NodeBox, { color }: Pick<GraphNode, "color">, palette: Palette): string {
  return color ?? palette.colourOf((box.outputs[0] ?? box.inputs[0])?.socket.type ?? "*");
}

/** The colour of a state that must be seen; null for a node that is as always. */
function markOf({ run, isSelected }: DrawnNode, palette: Palette): string | null {
  if (run?.state === "running") return palette.running;
  if (run?.state === "error") return palette.error;
  return isSelected ? palette.accent : null;
}

/** As much of a text as fits. Letters are taken to be of the font's mean width, which costs no measuring. */
function shortened(text: string, room: number, size: number): string {
  const most = Math.max(1, Math.floor(room / (size * 0.56)));
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
