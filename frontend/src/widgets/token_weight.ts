/** The weight of a piece of a text, `(word:1.1)`, made larger or smaller. Pure; the text field does the rest. */

export interface Selected {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const STEP = 0.05;

/** The word at the caret, or what is selected, with its weight changed by so many steps; 1 has no brackets. */
export function weighted({ text, start, end }: Selected, steps: number): Selected {
  const group = groupAround(text, start, end) ?? wordAt(text, start, end);
  if (group.start === group.end) return { text, start, end };
  const weight = Number((group.weight + steps * STEP).toFixed(2));
  const made = weight === 1 ? group.inner : `(${group.inner}:${weight})`;
  const changed = text.slice(0, group.start) + made + text.slice(group.end);
  return { text: changed, start: group.start, end: group.start + made.length };
}

interface Group {
  readonly start: number;
  readonly end: number;
  readonly inner: string;
  readonly weight: number;
}

function groupAround(text: string, start: number, end: number): Group | null {
  for (const match of text.matchAll(/\(([^()]*?)(?::(\d+(?:\.\d+)?))?\)/g)) {
    const [whole, inner = "", weight] = match;
    const isInside = match.index <= start && end <= match.index + whole.length;
    const number = weight === undefined ? 1.1 : Number(weight);
    if (isInside) return { start: match.index, end: match.index + whole.length, inner, weight: number };
  }
  return null;
}

function wordAt(text: string, start: number, end: number): Group {
  if (start === end) {
    while (start > 0 && /[^\s,()]/.test(text[start - 1] ?? "")) start -= 1;
    while (end < text.length && /[^\s,()]/.test(text[end] ?? "")) end += 1;
  }
  return { start, end, inner: text.slice(start, end), weight: 1 };
}
