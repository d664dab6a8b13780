import { expect, test } from "vitest";
import { arrange, type Plan } from "../../src/graph/arrange.ts";
import { id } from "./toy.ts";

const plan: Plan = {
  sizes: [
    [id("a"), [200, 100]],
    [id("b"), [200, 300]],
    [id("c"), [100, 50]],
  ],
  links: [
    [id("a"), id("b")],
    [id("b"), id("c")],
    [id("b"), id("gone")],
  ],
};

test("the layout runs along the links, and nothing overlaps", () => {
  const [a, b, c] = arrange(plan).map(([, pos]) => pos);
  if (!a || !b || !c) throw new Error("A position is missing.");
  expect(a[0] + 200).toBeLessThan(b[0]);
  expect(b[0] + 200).toBeLessThan(c[0]);
});

test("nodes without links stand below each other", () => {
  const [a, b] = arrange({ ...plan, links: [] }).map(([, pos]) => pos);
  expect(Math.abs((a?.[1] ?? 0) - (b?.[1] ?? 0))).toBeGreaterThanOrEqual(130);
});
