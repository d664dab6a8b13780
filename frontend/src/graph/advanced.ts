/**
 * Which of a node's inputs stand behind its “more” line: those that the definition calls advanced and that nobody uses.
 *
 * What has a link or a value of its own is never hidden, nor what a run cannot do without.
 */
import type { GraphNode } from "./document.ts";
import { sameJson } from "./json.ts";
import type { InputSocket, Sockets } from "./sockets.ts";
import { defaultValue, type Widgets } from "./widgets.ts";

export interface Folding {
  /** Inputs that can stand behind the line, whether they do now or not. Without any there is no line. */
  readonly foldable: ReadonlySet<string>;
  /** Those that are hidden. */
  readonly folded: ReadonlySet<string>;
}

const NOTHING: ReadonlySet<string> = new Set();
const UNFOLDED: Folding = { foldable: NOTHING, folded: NOTHING };

export function foldingOf(node: GraphNode, sockets: Sockets, widgets: Widgets, linked: ReadonlySet<string>): Folding {
  const advanced = [
    ...sockets.inputs.filter((socket) => socket.isAdvanced && canHide(socket)).map((socket) => socket.name),
    // An input without a socket is a widget alone.
    ...widgets.entries.filter(({ input }) => input.options["advanced"] === true).map(({ input }) => input.name),
  ];
  if (advanced.length === 0) return UNFOLDED;
  const foldable = new Set(advanced.filter((name) => !linked.has(name) && !hasOwnValue(node, widgets, name)));
  return { foldable, folded: node.showsAdvanced ? NOTHING : foldable };
}

function canHide(socket: InputSocket): boolean {
  return socket.widget !== null || !socket.required;
}

/** What was set since the file was read counts, even to the default: a field must not go away under the hand. */
function hasOwnValue(node: GraphNode, { entries, values }: Widgets, name: string): boolean {
  const entry = entries.find(({ role, input }) => role === "value" && input.name === name);
  if (!entry) return false;
  return name in node.values || !sameJson(values[name], defaultValue(entry.input));
}
