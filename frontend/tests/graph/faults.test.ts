import { describe, expect, test } from "vitest";
import { setModes, setValue } from "../../src/graph/commands.ts";
import { faultsOf } from "../../src/graph/faults.ts";
import { change, type Change, startHistory } from "../../src/graph/history.ts";
import { graph, id, TOYS } from "./toy.ts";

function check(types: { readonly [id: string]: string }, links: string[], steps: Change[], expected: string[]): void {
  const document = steps.reduce((before, step) => change(before, step), startHistory(graph(types, links))).document;
  expect(faultsOf(document, TOYS).map(({ node, input, message }) => `${node}.${input}: ${message}`)).toEqual(expected);
}

const needsImages = "2.images: “images” needs a link from an output of type IMAGE.";

describe("before a run", () => {
  test("a workflow that would run has no fault", () =>
    check({ 1: "Noise", 2: "Save" }, ["1.0 -> 2.images IMAGE"], [], []));
  test("an input that must be linked and is not is named", () => check({ 2: "Save" }, [], [], [needsImages]));
  test("a muted or bypassed node has none", () => {
    check({ 2: "Save" }, [], [setModes([id(2)], 2, "mute")], []);
    check({ 2: "Save" }, [], [setModes([id(2)], 4, "bypass")], []);
  });
  test("a number out of its bounds is named with the bound", () =>
    check(
      { 1: "Noise" },
      [],
      [setValue(id(1), "strength", 3), setValue(id(1), "seed", -1)],
      ["1.seed: “seed” is -1, but must be at least 0.", "1.strength: “strength” is 3, but must be at most 2."],
    ));
  test("a node of an unknown class is left to be told of elsewhere", () => check({ 1: "Elsewhere" }, [], [], []));
});
