/**
 * Where everything in a node stands. The one source for the DOM bodies, the canvas and hit-testing, so nothing has to
 * be measured. Sizes are those of ComfyUI's files: a node's position is its body's corner, the title bar is above it.
 */
import { foldingOf } from "../graph/advanced.ts";
import { type GraphNode, type Group, type NodeId, type Point } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import { asNumber } from "../graph/json.ts";
import type { InputSocket, OutputSocket, Sockets } from "../graph/sockets.ts";
import { type WidgetEntry, type Widgets } from "../graph/widgets.ts";
import { REROUTE } from "../graph/virtual.ts";
import type { Rect } from "./viewport.ts";

export const TITLE = 30;
export const SOCKET_ROW = 20;
export const WIDGET_ROW = 24;
export const PADDING = 6;
const TEXT_MIN = 64;
const PICTURE_MIN = 180;
const SHOWN_TEXT_MIN = 60;
const MIN_WIDTH = 150;
const NO_LINKS: ReadonlySet<string> = new Set();

/** The height of a group's letters, and of the band at its top that they stand in. */
export function groupFont({ saved }: Pick<Group, "saved">): number {
  return Math.min(48, Math.max(12, (asNumber(saved?.["font_size"]) ?? 24) * 0.8));
}

export function groupTitle(group: Pick<Group, "saved">): number {
  return groupFont(group) + 16;
}

export interface PlacedSocket<S> {
  readonly socket: S;
  readonly index: number;
  /** From the node's position. */
  readonly x: number;
  readonly y: number;
}

export interface PlacedWidget {
  readonly entry: WidgetEntry;
  /** The control of a seed stands in the seed's own row. */
  readonly control: WidgetEntry | null;
  readonly y: number;
  readonly height: number;
}

export interface NodeBox {
  readonly id: NodeId;
  /** The whole node in the world, title bar included. */
  readonly rect: Rect;
  readonly width: number;
  /** Of the body, below the title bar. */
  readonly height: number;
  readonly title: number;
  readonly isCollapsed: boolean;
  readonly inputs: readonly PlacedSocket<InputSocket>[];
  readonly outputs: readonly PlacedSocket<OutputSocket>[];
  readonly widgets: readonly PlacedWidget[];
  /** The line that shows and hides advanced inputs; null when there is nothing to show or hide. */
  readonly more: { readonly y: number; readonly height: number; readonly hidden: number } | null;
  readonly text: { readonly y: number; readonly height: number } | null;
  readonly picture: { readonly y: number; readonly height: number } | null;
}

/** What a node shows besides its sockets and widgets. */
export interface Shown {
  readonly hasPicture: boolean;
  readonly hasText: boolean;
}

export const NOTHING_SHOWN: Shown = { hasPicture: false, hasText: false };

export function isMultiline(entry: WidgetEntry): boolean {
  return entry.input.widget === "text" && entry.input.options["multiline"] === true;
}

/** Whether the node asks for room for a picture before it has one: a chosen input file. */
function showsUpload(widgets: Widgets): boolean {
  return widgets.entries.some((entry) => entry.role === "upload" && (widgets.values[entry.input.name] ?? "") !== "");
}

/** `linked` are the names of the node's inputs that have a link. */
export function placeNode(
  node: GraphNode,
  sockets: Sockets,
  widgets: Widgets,
  shown: Shown,
  linked: ReadonlySet<string> = NO_LINKS,
): NodeBox {
  if (node.type === REROUTE) return placeReroute(node, sockets);
  if (node.collapsed) return placeCollapsed(node, sockets);
  const width = Math.max(MIN_WIDTH, node.size[0]);
  const { foldable, folded } = foldingOf(node, sockets, widgets, linked);
  const plain = sockets.inputs.filter((input) => input.widget === null && !folded.has(input.name));
  let y = PADDING + SOCKET_ROW * Math.max(plain.length, sockets.outputs.length);
  const rows = widgets.entries.filter(
    ({ role, input }) => (role === "value" || role === "upload") && !folded.has(input.name),
  );
  const hasPicture = shown.hasPicture || showsUpload(widgets);
  const texts = rows.filter(isMultiline).length;
  const lines = rows.length + (foldable.size > 0 ? 1 : 0);
  const rest = (lines - texts) * WIDGET_ROW + (lines > 0 ? PADDING : 0);
  const least =
    y + rest + texts * TEXT_MIN + (shown.hasText ? SHOWN_TEXT_MIN : 0) + (hasPicture ? PICTURE_MIN : 0) + PADDING;
  const height = Math.max(node.size[1], least);
  const spare = height - least;
  const textHeight = TEXT_MIN + (texts > 0 ? spare / texts : 0);
  const placed: PlacedWidget[] = rows.map((entry) => {
    const rowHeight = isMultiline(entry) ? textHeight : WIDGET_ROW;
    const control = widgets.entries.find((other) => other.role === "control" && other.input === entry.input) ?? null;
    const row = { entry, control: entry.role === "value" ? control : null, y, height: rowHeight };
    y += rowHeight;
    return row;
  });
  const more = foldable.size > 0 ? { y, height: WIDGET_ROW, hidden: folded.size } : null;
  if (more) y += WIDGET_ROW;
  const free = height - y - PADDING;
  const textRoom = shown.hasText ? (hasPicture ? SHOWN_TEXT_MIN : free) : 0;
  return {
    id: node.id,
    rect: { x: node.pos[0], y: node.pos[1] - TITLE, width, height: height + TITLE },
    width,
    height,
    title: TITLE,
    isCollapsed: false,
    inputs: placeInputs(sockets, placed, folded),
    outputs: sockets.outputs.map((socket, index) => ({ socket, index, x: width, y: rowCentre(index) })),
    widgets: placed,
    more,
    text: shown.hasText ? { y, height: textRoom } : null,
    picture: hasPicture ? { y: y + textRoom, height: free - textRoom } : null,
  };
}

function rowCentre(index: number): number {
  return PADDING + SOCKET_ROW * (index + 0.5) - 2;
}

/** A socket's index is its place among all of the node's, hidden ones included. */
function placeInputs(
  sockets: Sockets,
  widgets: readonly PlacedWidget[],
  folded: ReadonlySet<string>,
): PlacedSocket<InputSocket>[] {
  let row = 0;
  return sockets.inputs.flatMap((socket, index) => {
    if (folded.has(socket.name)) return [];
    if (socket.widget === null) {
      row += 1;
      return { socket, index, x: 0, y: rowCentre(row - 1) };
    }
    const widget = widgets.find((placed) => placed.entry.key === socket.widget);
    return { socket, index, x: 0, y: widget ? widget.y + Math.min(widget.height, WIDGET_ROW) / 2 : PADDING };
  });
}

function placeCollapsed(node: GraphNode, sockets: Sockets): NodeBox {
  const width = Math.min(Math.max(120, (node.title ?? node.type).length * 8 + 56), Math.max(120, node.size[0]));
  return {
    id: node.id,
    rect: { x: node.pos[0], y: node.pos[1] - TITLE, width, height: TITLE },
    width,
    height: 0,
    title: TITLE,
    isCollapsed: true,
    inputs: sockets.inputs.map((socket, index) => ({ socket, index, x: 0, y: -TITLE / 2 })),
    outputs: sockets.outputs.map((socket, index) => ({ socket, index, x: width, y: -TITLE / 2 })),
    widgets: [],
    more: null,
    text: null,
    picture: null,
  };
}

function placeReroute(node: GraphNode, sockets: Sockets): NodeBox {
  const [width, height] = [Math.max(48, Math.min(75, node.size[0])), 26];
  return {
    id: node.id,
    rect: { x: node.pos[0], y: node.pos[1], width, height },
    width,
    height,
    title: 0,
    isCollapsed: false,
    inputs: sockets.inputs.slice(0, 1).map((socket, index) => ({ socket, index, x: 0, y: height / 2 })),
    outputs: sockets.outputs.slice(0, 1).map((socket, index) => ({ socket, index, x: width, y: height / 2 })),
    widgets: [],
    more: null,
    text: null,
    picture: null,
  };
}

/** The size of a node that is added by hand: wide enough for its widgets, high enough for its text. */
export function defaultSize(definition: NodeDefinition | undefined): Point {
  if (!definition) return [240, 60];
  const widgets = definition.inputs.filter((input) => input.widget !== null);
  const texts = widgets.filter((input) => input.widget === "text" && input.options["multiline"] === true);
  if (texts.length > 0) return [340, 60 + texts.length * 110 + widgets.length * WIDGET_ROW];
  if (/^(Save|Preview)Image$/.test(definition.classType)) return [300, 300];
  if (widgets.length > 0) return [280, 0];
  return [200, 0];
}
