import { expect, test } from "vitest";
import type { Point } from "../../src/graph/document.ts";
import { edgeSpeed } from "../../src/canvas/edge_pan.ts";

const SIZE: Point = [800, 600];

test.each([
  [
    [400, 300],
    [0, 0],
  ],
  [
    [0, 300],
    [14, 0],
  ],
  [
    [-500, 300],
    [14, 0],
  ],
  [
    [400, 600],
    [0, -14],
  ],
  [
    [782, 18],
    [-7, 7],
  ],
] as [Point, Point][])("a drag at %j moves the view by %j a frame", (at, expected) => {
  expect(edgeSpeed(at, SIZE).map((speed) => speed + 0)).toEqual(expected);
});
