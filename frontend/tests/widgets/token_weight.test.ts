import { describe, expect, test } from "vitest";
import { weighted } from "../../src/widgets/token_weight.ts";

/** `|` marks the caret, or both ends of a selection. */
function check(before: string, steps: number, expected: string): void {
  const start = before.indexOf("|");
  const end = before.lastIndexOf("|");
  const text = before.replaceAll("|", "");
  const after = weighted({ text, start, end: end === start ? start : end - 1 }, steps);
  expect(
    `${after.text.slice(0, after.start)}|${after.text.slice(after.start, after.end)}|${after.text.slice(after.end)}`,
  ).toBe(expected);
}

describe("the weight of a piece of a text", () => {
  const cases: [string, string, number, string][] = [
    ["the word at the caret gets one", "a re|d cube", 1, "a |(red:1.05)| cube"],
    ["the selection gets one", "a |red cube|, day", 2, "a |(red cube:1.1)|, day"],
    ["a weight grows", "a (re|d:1.05) cube", 1, "a |(red:1.1)| cube"],
    ["a weight of 1 has no brackets", "a (red|:1.05) cube", -1, "a |red| cube"],
    ["brackets without a number weigh 1.1", "(re|d)", -1, "|(red:1.05)|"],
    ["below 1 it weighs less", "red|", -1, "|(red:0.95)|"],
    ["where there is no word nothing changes", "a , | b", 1, "a , || b"],
  ];
  test.each(cases)("%s", (_, before, steps, expected) => check(before, steps, expected));
});
