/** Finding a choice by typing: exact before prefix before word before anywhere before letters in order. */

/** A rank, smaller is better; null when the text does not match at all. */
export function rank(text: string, query: string): number | null {
  const candidate = text.toLowerCase();
  const wanted = query.toLowerCase().trim();
  if (wanted === "") return 5;
  if (candidate === wanted) return 0;
  if (candidate.startsWith(wanted)) return 1;
  if (new RegExp(`[^a-z0-9]${escape(wanted)}`).test(candidate)) return 2;
  if (candidate.includes(wanted)) return 3;
  const words = wanted.split(/\s+/);
  if (words.length > 1 && words.every((word) => candidate.includes(word))) return 3.5;
  let from = 0;
  for (const letter of wanted) {
    if (letter === " ") continue;
    from = candidate.indexOf(letter, from) + 1;
    if (from === 0) return null;
  }
  return 4;
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Those that match, best first; equals keep their order. */
export function search<T>(items: readonly T[], query: string, textOf: (item: T) => string): T[] {
  return items
    .flatMap((item) => {
      const found = rank(textOf(item), query);
      return found === null ? [] : [{ item, found }];
    })
    .toSorted((a, b) => a.found - b.found)
    .map(({ item }) => item);
}
