/**
 * JSON as the files hold it, and the questions asked of it. Knows nothing of workflows.
 *
 * Invariant: an integer is a bigint where a double would round it, and only there; seeds are that large.
 */

export type Json = null | boolean | number | bigint | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: unknown): value is readonly Json[] {
  return Array.isArray(value);
}

export function asString(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** For arithmetic and bounds; an integer that no double holds becomes the nearest one. */
export function asNumber(value: unknown): number | null {
  if (typeof value === "bigint") return Number(value);
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Equality of JSON values; a key that holds `undefined` counts as absent. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a === "number" && typeof b === "number") return Number.isNaN(a) && Number.isNaN(b);
  if (isArray(a) && isArray(b)) return a.length === b.length && a.every((item, index) => sameJson(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => sameJson(a[key], b[key]));
}

/** A whole number as it is kept: a number while that is exact, else a bigint. */
export function integer(value: number | bigint): number | bigint {
  const isSmall = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
  if (isSmall) return Number(value);
  return typeof value === "bigint" ? value : BigInt(Math.round(value));
}

const STRING = String.raw`"[^"\\]*(?:\\[^][^"\\]*)*"`;
const STRING_OR_BARE_NUMBER = new RegExp(String.raw`${STRING}|-?\b(?:NaN|Infinity)\b`, "g");
const STRING_OR_NUMBER = new RegExp(String.raw`${STRING}|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?`, "g");
const MARK = "integer:";

/**
 * Parses JSON that Python wrote: bare NaN and Infinity, which JSON forbids, become null, and integers stay exact.
 * Throws SyntaxError as JSON.parse does.
 */
export function parseJson(text: string): Json {
  try {
    return parseExactly(text);
  } catch (error) {
    const repaired = text.replace(STRING_OR_BARE_NUMBER, (token) => (token.startsWith('"') ? token : "null"));
    if (repaired === text) throw error;
    return parseExactly(repaired);
  }
}

/** Integers that JSON.parse would round go through it as marked strings. */
function parseExactly(text: string): Json {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as Json;
  let mark = MARK;
  while (text.includes(mark)) mark += ":";
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${mark}${token}"` : token,
  );
  const raw = JSON.parse(marked) as Json;
  return marked === text ? raw : unmark(raw, mark);
}

function unmark(value: Json, mark: string): Json {
  if (typeof value === "string") return value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value;
  if (isArray(value)) return value.map((item) => unmark(item, mark));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unmark(item ?? null, mark)]));
}

/** JSON.stringify that writes a bigint as the integer that it is. */
export function writeJson(value: unknown, indent?: number): string {
  for (let mark = MARK; ; mark += ":") {
    let count = 0;
    const replace = (_: string, item: unknown): unknown => {
      if (typeof item !== "bigint") return item;
      count += 1;
      return `${mark}${item}`;
    };
    const text = JSON.stringify(value, replace, indent);
    if (count === 0) return text;
    const marked = new RegExp(`"${mark}(-?\\d+)"`, "g");
    // A string of the document that looks like a mark: another mark is tried.
    if (text.match(marked)?.length === count) return text.replace(marked, "$1");
  }
}
