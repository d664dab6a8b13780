import * as fc from "fast-check";
import { expect, test } from "vitest";
import { SpatialGrid } from "../../src/canvas/spatial.ts";
import { overlaps } from "../../src/canvas/viewport.ts";

const coordinate = fc.integer({ min: -9000, max: 9000 });
const rects = fc.record({
  x: coordinate,
  y: coordinate,
  width: fc.integer({ min: 1, max: 12_000 }),
  height: fc.integer({ min: 1, max: 900 }),
});

test("a query finds what overlaps, and nothing else", () => {
  fc.assert(
    fc.property(fc.array(rects, { maxLength: 40 }), rects, (placed, wanted) => {
      const grid = new SpatialGrid<number>();
      placed.forEach((rect, index) => grid.add(index, rect));
      const expected = placed.flatMap((rect, index) => (overlaps(rect, wanted) ? [index] : []));
      expect([...grid.query(wanted)].sort((a, b) => a - b)).toEqual(expected);
    }),
  );
});
