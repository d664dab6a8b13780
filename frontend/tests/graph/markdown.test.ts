import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Block, type Inline, parseInline, parseMarkdown } from "../../src/graph/markdown.ts";
import { samples } from "./samples.ts";

const words = (content: readonly Inline[]): string =>
  content.map((part) => ("text" in part ? part.text : words(part.content))).join("");

const inShort = (block: Block): string => {
  switch (block.kind) {
    case "heading":
      return `h${block.level} ${words(block.content)}`;
    case "paragraph":
    case "quote":
      return `${block.kind} ${words(block.content)}`;
    case "list":
      return `list ${block.items.map((item) => `${item.depth}${item.mark}${words(item.content)}`).join(",")}`;
    case "table":
      return `table ${block.rows.map((row) => row.map(words).join("/")).join(",")}`;
    case "code":
      return `code ${block.text}`;
    case "rule":
      return "rule";
  }
};

describe("blocks", () => {
  const cases: [string, string[]][] = [
    ["# One\n\ntext\nmore", ["h1 One", "paragraph text\nmore"]],
    ["- a\n  - b\n1. c", ["list 0•a,1•b,01.c"]],
    ["```\n# no heading\n```\nafter", ["code # no heading", "paragraph after"]],
    ["```\nnever closed", ["code never closed"]],
    ["| a | b |\n|---|:-:|\n| c | d |", ["table a/b,c/d"]],
    ["> said\n> so\n---", ["quote said\nso", "rule"]],
    ["a | b", ["paragraph a | b"]],
  ];
  test.each(cases)("%j", (text, expected) => expect(parseMarkdown(text).map(inShort)).toEqual(expected));
});

describe("inline", () => {
  test("strong, emphasis and code", () => {
    expect(parseInline("**a *b*** `*c*` snake_case_name").map((part) => part.kind)).toContain("strong");
    expect(parseInline("a `*c*` d")).toEqual([
      { kind: "text", text: "a " },
      { kind: "code", text: "*c*" },
      { kind: "text", text: " d" },
    ]);
    expect(parseInline("snake_case_name 2 * 3 * 4")).toEqual([{ kind: "text", text: "snake_case_name 2 * 3 * 4" }]);
  });
  test("links to pages, not to scripts", () => {
    expect(parseInline("[x](https://a.b/c)")).toEqual([
      { kind: "link", url: "https://a.b/c", content: [{ kind: "text", text: "x" }] },
    ]);
    expect(parseInline("[**x** https://c.d](https://a.b)")).toEqual([
      {
        kind: "link",
        url: "https://a.b",
        content: [
          { kind: "strong", content: [{ kind: "text", text: "x" }] },
          { kind: "text", text: " " },
          { kind: "text", text: "https://c.d" },
        ],
      },
    ]);
    for (const url of ["javascript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "FILE:///etc/passwd", "//a.b"])
      expect(parseInline(`[x](${url})`).some((part) => part.kind === "link")).toBe(false);
  });
});

test("any text is read, and no link leads anywhere but to pages and mail", () => {
  const links = (content: readonly Inline[]): string[] =>
    content.flatMap((part) =>
      "content" in part ? [...(part.kind === "link" ? [part.url] : []), ...links(part.content)] : [],
    );
  const pieces = fc.constantFrom("[", "](", ")", "javascript:", "https://x ", "**", "_", "`", "\n", "- ", "| ", "a");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      for (const block of parseMarkdown(parts.join("")))
        if ("content" in block) for (const url of links(block.content)) expect(url).toMatch(/^(https?:\/\/|mailto:)/i);
    }),
  );
});

test("the notes of real workflows are read whole", () => {
  const notes = samples().flatMap(({ workflow }) => {
    const { nodes } = workflow as unknown as { nodes: { type: string; widgets_values?: string[] }[] };
    return nodes.flatMap((node) => (node.type === "MarkdownNote" ? (node.widgets_values?.slice(0, 1) ?? []) : []));
  });
  expect(notes.length).toBeGreaterThan(0);
  for (const note of notes) expect(parseMarkdown(note).length).toBeGreaterThan(0);
});
