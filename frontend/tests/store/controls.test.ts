import { describe, expect, test } from "vitest";
import { setValue } from "../../src/graph/commands.ts";
import type { WorkflowDocument } from "../../src/graph/document.ts";
import { change, startHistory } from "../../src/graph/history.ts";
import { controlKey, drawValues, type LastUsed } from "../../src/store/controls.ts";
import { graph, id, TOYS } from "../graph/toy.ts";

function noise(seed: number | bigint, control: string, links: string[] = []): WorkflowDocument {
  const document = graph(links.length > 0 ? { 1: "Noise", 2: "Noise" } : { 1: "Noise" }, links);
  const seeded = change(startHistory(document), setValue(id(1), "seed", seed));
  return change(seeded, setValue(id(1), "control_after_generate", control)).document;
}

const used = (value: number): LastUsed => new Map([[controlKey(id(1), "seed"), value]]);
const draw = (document: WorkflowDocument, lastUsed: LastUsed = new Map(), random = 0.5): number | null => {
  const drawn = drawValues(document, TOYS, lastUsed, () => random).find(({ node }) => node === id(1));
  return drawn ? Number(drawn.value) : null;
};

describe("before a run a seed", () => {
  test("that is fixed stays", () => expect(draw(noise(7, "fixed"), used(7))).toBeNull());
  test("that is random is drawn, first run or not", () => {
    expect(draw(noise(7, "randomize"))).toBe(2 ** 49);
    expect(draw(noise(7, "randomize"), used(7))).toBe(2 ** 49);
  });
  test("stays exact: it never exceeds what a double holds", () => {
    const largest = draw(noise(7, "randomize"), used(7), 0.999_999_999_999_999_9) ?? 0;
    expect(Number.isSafeInteger(largest) && largest < 2 ** 50).toBe(true);
  });
  test("that counts is used once as typed, then counts", () => {
    expect(draw(noise(7, "increment"))).toBeNull();
    expect(draw(noise(7, "increment"), used(7))).toBe(8);
    expect(draw(noise(7, "decrement"), used(7))).toBe(6);
  });
  test("counts exactly beyond what a double holds", () => {
    const document = noise(9007199254740992n, "increment");
    const lastUsed = new Map([[controlKey(id(1), "seed"), 9007199254740992n]]);
    expect(drawValues(document, TOYS, lastUsed, () => 0.5)).toEqual([
      { node: id(1), widget: "seed", value: 9007199254740993n },
    ]);
  });
  test("does not count below its least", () => expect(draw(noise(0, "decrement"), used(0))).toBeNull());
  test("that a link feeds stays", () => expect(draw(noise(7, "randomize", ["2.0 -> 1.seed INT"]), used(7))).toBeNull());
});
