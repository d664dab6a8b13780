import { describe, expect, test } from "vitest";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { chooseAlternatives, expandTexts, fillPrefix } from "../../src/graph/expand_texts.ts";
import type { Prompt } from "../../src/graph/write_prompt.ts";
import { graph } from "./toy.ts";

const NOW = new Date(2026, 2, 5, 7, 8, 9);

describe("alternatives", () => {
  const cases: [string, number, string][] = [
    ["a {red|blue} cube", 0, "a red cube"],
    ["a {red|blue} cube", 0.99, "a blue cube"],
    ["{a|{b|c}}", 0.99, "c"],
    ["{a|}", 0.99, ""],
    ["\\{a|b\\} \\|", 0.5, "{a|b} |"],
    ["no braces }", 0.5, "no braces }"],
    ["{one\ntwo|x}", 0, "one\ntwo"],
  ];
  test.each(cases)("%j at %d", (text, random, expected) =>
    expect(chooseAlternatives(text, () => random)).toBe(expected),
  );
});

describe("a filename prefix", () => {
  const valueOf = (node: string, input: string): string | undefined =>
    node === "A.b" && input === "x" ? 'v:1/"2"' : undefined;
  const cases: [string, string][] = [
    ["%date:yyyy-MM-dd%/out", "2026-03-05/out"],
    ["%date:yy M d hhmmss%", "26 3 5 070809"],
    ["%A.b.x%", "v_1__2_"],
    ["%A.y% %width% 100%", "%A.y% %width% 100%"],
  ];
  test.each(cases)("%s", (prefix, expected) => expect(fillPrefix(prefix, valueOf, NOW)).toBe(expected));
});

test("only what asks for it is replaced in a prompt", () => {
  const definitions = parseObjectInfo({
    Text: { input: { required: { text: ["STRING", { dynamicPrompts: true }], note: ["STRING"] } }, output: ["STRING"] },
    Save: { input: { required: { filename_prefix: ["STRING"] } }, output: [], output_node: true },
  });
  const node = (class_type: string, inputs: Prompt[string]["inputs"], title: string): Prompt[string] => ({
    class_type,
    inputs,
    _meta: { title },
  });
  const prompt: Prompt = {
    "1": node("Text", { text: "{a|b}", note: "{a|b}" }, "Words"),
    "2": node("Save", { filename_prefix: "%Text.note%-%Words.note%" }, "Save"),
    "3": node("Unknown", { text: "{a|b}" }, "?"),
  };
  const document = graph({ 1: "Text", 2: "Save", 3: "Unknown" });
  const inputs = Object.values(expandTexts(prompt, { document, definitions }, () => 0, NOW)).map((each) => each.inputs);
  expect(inputs).toEqual([{ text: "a", note: "{a|b}" }, { filename_prefix: "{a_b}-{a_b}" }, { text: "{a|b}" }]);
});
