/**
 * The Markdown of notes, as data. Notes come from strangers: there is no HTML in it, and links go to web pages and
 * mail only; whatever is not understood stays text.
 */

export type Inline =
  | { readonly kind: "text" | "code"; readonly text: string }
  | { readonly kind: "strong" | "emphasis"; readonly content: readonly Inline[] }
  | { readonly kind: "link"; readonly url: string; readonly content: readonly Inline[] };

export interface ListItem {
  readonly depth: number;
  readonly mark: string;
  readonly content: readonly Inline[];
}

export type Block =
  | { readonly kind: "heading"; readonly level: number; readonly content: readonly Inline[] }
  | { readonly kind: "paragraph" | "quote"; readonly content: readonly Inline[] }
  | { readonly kind: "list"; readonly items: readonly ListItem[] }
  | { readonly kind: "table"; readonly rows: readonly (readonly (readonly Inline[])[])[] }
  | { readonly kind: "code"; readonly text: string }
  | { readonly kind: "rule" };

const ITEM = /^(\s*)([-*+]|\d+[.)])\s+(.*)$/;
const TABLE_LINE = /^\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;

export function parseMarkdown(text: string): Block[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const blocks: Block[] = [];
  let at = 0;
  /** Takes lines for as long as they match. */
  const takeWhile = (matches: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && matches(lines[at] ?? "")) at += 1;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at] ?? "";
    const heading = /^\s{0,3}(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (line.trim() === "") at += 1;
    else if (line.trim().startsWith("```")) {
      at += 1;
      blocks.push({ kind: "code", text: takeWhile((each) => !each.trim().startsWith("```")).join("\n") });
      at += 1;
    } else if (heading) {
      blocks.push({ kind: "heading", level: heading[1]?.length ?? 1, content: parseInline(heading[2] ?? "") });
      at += 1;
    } else if (/^\s*([-*_])(?:\s*\1){2,}\s*$/.test(line)) {
      blocks.push({ kind: "rule" });
      at += 1;
    } else if (ITEM.test(line)) {
      blocks.push({ kind: "list", items: takeWhile((each) => ITEM.test(each)).map(parseItem) });
    } else if (/^\s*>/.test(line)) {
      const quoted = takeWhile((each) => /^\s*>/.test(each)).map((each) => each.replace(/^\s*>\s?/, ""));
      blocks.push({ kind: "quote", content: parseInline(quoted.join("\n")) });
    } else if (line.includes("|") && TABLE_LINE.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-")) {
      const rows = takeWhile((each) => each.includes("|")).filter((_, index) => index !== 1);
      blocks.push({ kind: "table", rows: rows.map(parseRow) });
    } else {
      const first = takeWhile((each) => each === line);
      const more = takeWhile((each) => each.trim() !== "" && !/^\s*(?:#{1,6}\s|```|>)/.test(each) && !ITEM.test(each));
      blocks.push({ kind: "paragraph", content: parseInline([...first, ...more].join("\n")) });
    }
  }
  return blocks;
}

function parseItem(line: string): ListItem {
  const [, indent = "", mark = "", rest = ""] = ITEM.exec(line) ?? [];
  const depth = Math.floor(indent.replaceAll("\t", "  ").length / 2);
  return { depth, mark: /\d/.test(mark) ? mark : "•", content: parseInline(rest) };
}

function parseRow(line: string): Inline[][] {
  const cells = line.trim().replace(/^\|/, "").replace(/\|$/, "").split("|");
  return cells.map((cell) => parseInline(cell.trim()));
}

const INLINE =
  /`([^`]+)`|!?\[([^\]]*)\]\(\s*<?([^)\s>]+)>?[^)]*\)|\*\*([^]+?)\*\*|__([^]+?)__|(?<![\w*])\*(?!\s)([^*\n]+)(?<!\s)\*(?![\w*])|(?<![\w_])_(?!\s)([^_\n]+)(?<!\s)_(?![\w_])|(https?:\/\/[^\s<>)\]]+)/gu;

export function parseInline(text: string): Inline[] {
  const parts: Inline[] = [];
  let from = 0;
  const plain = (until: number): void => {
    if (until > from) parts.push({ kind: "text", text: text.slice(from, until) });
  };
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, label, url, strong, strong2, emphasis, emphasis2, bare] = match;
    plain(match.index);
    from = match.index + whole.length;
    if (code !== undefined) parts.push({ kind: "code", text: code });
    else if (bare !== undefined) parts.push({ kind: "link", url: bare, content: [{ kind: "text", text: bare }] });
    else if (url !== undefined) parts.push(linkTo(url, label ?? "", whole));
    else if (strong !== undefined || strong2 !== undefined)
      parts.push({ kind: "strong", content: parseInline(strong ?? strong2 ?? "") });
    else parts.push({ kind: "emphasis", content: parseInline(emphasis ?? emphasis2 ?? "") });
  }
  plain(text.length);
  return parts;
}

/** Scripts and files are no places to go to from a note. */
function linkTo(url: string, label: string, whole: string): Inline {
  if (!/^(?:https?:\/\/|mailto:)/i.test(url)) return { kind: "text", text: whole };
  const content = parseInline(label === "" ? url : label).map(withoutLink);
  return { kind: "link", url, content };
}

/** A link holds no link: an address in its label is text. */
function withoutLink(part: Inline): Inline {
  switch (part.kind) {
    case "text":
    case "code":
      return part;
    case "link":
      return { kind: "text", text: part.url };
    case "strong":
    case "emphasis":
      return { ...part, content: part.content.map(withoutLink) };
  }
}
