import type { Point } from "../../src/graph/document.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NOTHING_SHOWN } from "../../src/canvas/geometry.ts";
import { hitTest, linksAcross } from "../../src/canvas/hit.ts";
import { pointOn } from "../../src/canvas/curves.ts";
import { curveOf, SceneBuilder } from "../../src/canvas/scene.ts";
import { fitRect, toScreen, toWorld, union, zoomAt } from "../../src/canvas/viewport.ts";
import { moveNodes } from "../../src/graph/commands.ts";
import { change, startHistory } from "../../src/graph/history.ts";
import { graph, id, TOYS } from "../graph/toy.ts";

const document = graph({ 1: "Load", 2: "Blend", 3: "Save" }, ["1.0 -> 2.a IMAGE", "2.0 -> 3.images IMAGE"]);
const scene = new SceneBuilder().build(document, TOYS, () => NOTHING_SHOWN);
const order = [...scene.boxes.keys()];

describe("what is under a point", () => {
  test("a link's ends are the sockets that it joins", () => {
    for (const link of scene.links) {
      const curve = curveOf(scene, link);
      if (!curve) throw new Error("The link has no curve.");
      const [from, to] = curve.points as [Point, Point];
      expect(hitTest(scene, order, from, 1)).toEqual({
        kind: "socket",
        socket: { node: link.source, side: "output", index: link.output },
      });
      const target = hitTest(scene, order, to, 1);
      expect(target.kind === "socket" && target.socket.node).toBe(link.target);
    }
  });
  test("a link is hit along its curve", () => {
    const [link] = scene.links;
    const curve = link && curveOf(scene, link);
    if (!curve) throw new Error("The link has no curve.");
    const [from, to] = curve.points as [Point, Point];
    expect(hitTest(scene, order, pointOn(from, to, 0.5), 1)).toEqual({ kind: "link", id: link.id, part: 0 });
  });
  test("a stroke crosses the links that it goes over, straight ones and others", () => {
    const [link] = scene.links;
    const curve = link && curveOf(scene, link);
    if (!curve) throw new Error("The link has no curve.");
    const [from, to] = curve.points as [Point, Point];
    const [x, y] = pointOn(from, to, 0.5);
    expect(linksAcross(scene, [x, y - 50], [x, y + 50])).toEqual([link.id]);
    expect(linksAcross(scene, [x, y + 40], [x, y + 90])).toEqual([]);
    expect(linksAcross(scene, [x + 4000, y - 50], [x + 4000, y + 50])).toEqual([]);
  });
  test("title, body, corner and void", () => {
    expect(hitTest(scene, order, [100, -15], 1)).toEqual({ kind: "node", id: "1", isTitle: true });
    expect(hitTest(scene, order, [100, 70], 1)).toEqual({ kind: "node", id: "1", isTitle: false });
    const box = scene.boxes.get(id(1));
    expect(hitTest(scene, order, [(box?.width ?? 0) - 3, (box?.height ?? 0) - 3], 1)).toEqual({
      kind: "resize",
      id: "1",
    });
    expect(hitTest(scene, order, [-400, -400], 1)).toEqual({ kind: "void" });
  });
  test("the frontmost node is hit", () => {
    const stacked = change(startHistory(document), moveNodes(new Map([[id(3), [0, 0]]]))).document;
    const above = new SceneBuilder().build(stacked, TOYS, () => NOTHING_SHOWN);
    expect(hitTest(above, [id(1), id(2), id(3)], [100, -15], 1)).toMatchObject({ id: "3" });
    expect(hitTest(above, [id(3), id(2), id(1)], [100, -15], 1)).toMatchObject({ id: "1" });
  });
});

test("the box of a node that did not change is the same one", () => {
  const builder = new SceneBuilder();
  const before = builder.build(document, TOYS, () => NOTHING_SHOWN);
  const moved = change(startHistory(document), moveNodes(new Map([[id(3), [9, 9]]]))).document;
  const after = builder.build(moved, TOYS, () => NOTHING_SHOWN);
  expect(after.boxes.get(id(1))).toBe(before.boxes.get(id(1)));
  expect(after.boxes.get(id(3))).not.toBe(before.boxes.get(id(3)));
});

describe("the viewport", () => {
  const viewports = fc.record({
    x: fc.integer({ min: -999, max: 999 }),
    y: fc.integer({ min: -999, max: 999 }),
    scale: fc.double({ min: 0.1, max: 3, noNaN: true }),
  });
  const coordinate = fc.integer({ min: -2000, max: 2000 });

  test("turns the screen into the world and back", () => {
    fc.assert(
      fc.property(viewports, coordinate, coordinate, (viewport, x, y) => {
        const [backX, backY] = toScreen(viewport, toWorld(viewport, [x, y]));
        expect(backX).toBeCloseTo(x, 6);
        expect(backY).toBeCloseTo(y, 6);
      }),
    );
  });
  test("keeps the point under the pointer when it zooms", () => {
    fc.assert(
      fc.property(
        viewports,
        coordinate,
        coordinate,
        fc.double({ min: 0.2, max: 5, noNaN: true }),
        (viewport, x, y, factor) => {
          const [worldX, worldY] = toWorld(viewport, [x, y]);
          const [afterX, afterY] = toWorld(zoomAt(viewport, x, y, factor), [x, y]);
          expect(afterX).toBeCloseTo(worldX, 5);
          expect(afterY).toBeCloseTo(worldY, 5);
        },
      ),
    );
  });
  test("fits what is asked for", () => {
    const whole = union([...scene.boxes.values()].map((box) => box.rect));
    if (!whole) throw new Error("Nothing to fit.");
    const viewport = fitRect(whole, 800, 600);
    const [left, top] = toScreen(viewport, [whole.x, whole.y]);
    const [right, bottom] = toScreen(viewport, [whole.x + whole.width, whole.y + whole.height]);
    expect(left >= 0 && top >= 0 && right <= 800 && bottom <= 600).toBe(true);
  });
});
