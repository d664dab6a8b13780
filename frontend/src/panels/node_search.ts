/**
 * Which node types a search offers: matching the text, and having sockets of the wanted types. Best first, always in
 * the same order for the same question: by how the text matches (exact, beginning, word, anywhere, letters in order),
 * within that favourites before what was used of late, exact types before those that fit, and then by name.
 */
import type { NodeDefinition } from "../graph/definitions.ts";
import { typesFit } from "../graph/types.ts";
import { type Habits, NO_HABITS } from "../store/habits.ts";
import { rank } from "../widgets/choices.ts";

export interface Wanted {
  /** Which side the new node's socket has to be on. */
  readonly side: "input" | "output";
  readonly type: string;
}

/** A step of the text's rank weighs more than everything below it. */
const TEXT = 100;
const DEPRECATED = 500;
const LOOSE_FIT = 8;
const FAVOURITE = -12;
const LATEST = -10;

export function searchNodes(
  definitions: Iterable<NodeDefinition>,
  query: string,
  wanted: readonly Wanted[] = [],
  habits: Habits = NO_HABITS,
): NodeDefinition[] {
  const found: { definition: NodeDefinition; score: number }[] = [];
  for (const definition of definitions) {
    const fits = wanted.map((each) => fitOf(definition, each));
    const text = textRank(definition, query);
    if (text === null || fits.includes(null)) continue;
    const fit = fits.reduce<number>((sum, each) => sum + (each ?? 0), 0);
    const score = text * TEXT + fit + weightOf(definition.classType, habits);
    found.push({ definition, score: score + (definition.isDeprecated ? DEPRECATED : 0) });
  }
  return found
    .toSorted((a, b) => a.score - b.score || compareNames(a.definition, b.definition))
    .map(({ definition }) => definition);
}

/** Sockets' types of all these nodes on one side, for a filter. */
export function socketTypes(definitions: Iterable<NodeDefinition>, side: Wanted["side"]): string[] {
  const types = new Set<string>();
  for (const definition of definitions) {
    const sockets = side === "input" ? definition.inputs.filter((input) => input.widget === null) : definition.outputs;
    for (const { type } of sockets) if (type !== "*" && !type.startsWith("COMFY_")) types.add(type);
  }
  return [...types].toSorted();
}

function textRank(definition: NodeDefinition, query: string): number | null {
  const category = query.length > 1 && definition.category.toLowerCase().includes(query.toLowerCase()) ? 4.5 : null;
  const ranks = [rank(definition.displayName, query), rank(definition.classType, query), category];
  const known = ranks.filter((each) => each !== null);
  return known.length === 0 ? null : Math.min(...known);
}

function weightOf(classType: string, { favourites, recents }: Habits): number {
  const place = recents.indexOf(classType);
  return (favourites.has(classType) ? FAVOURITE : 0) + (place < 0 ? 0 : LATEST * (1 - place / recents.length));
}

/** Not by the browser's language: the order is the same everywhere. */
function compareNames(a: NodeDefinition, b: NodeDefinition): number {
  const [left, right] = [a.displayName.toLowerCase(), b.displayName.toLowerCase()];
  if (left !== right) return left < right ? -1 : 1;
  return a.classType < b.classType ? -1 : 1;
}

/** 0 for a socket of exactly this type, more for one that takes it too, null for none. */
function fitOf(definition: NodeDefinition, { side, type }: Wanted): number | null {
  const sockets =
    side === "input" ? definition.inputs.filter((input) => input.options["socketless"] !== true) : definition.outputs;
  if (sockets.some((socket) => socket.type === type)) return 0;
  const fits = sockets.some((socket) => (side === "input" ? typesFit(type, socket.type) : typesFit(socket.type, type)));
  return fits ? LOOSE_FIT : null;
}
