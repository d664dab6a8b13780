import { describe, expect, test } from "vitest";
import { align, type Box, distribute } from "../../src/graph/align.ts";
import { copyNodes, pasteNodes } from "../../src/graph/clipboard.ts";
import { addNodes, connect, disconnect } from "../../src/graph/commands.ts";
import { insertionInto } from "../../src/graph/connect.ts";
import {
  type LinkId,
  linkId,
  linksOf,
  type Point,
  reroutesOf,
  type WorkflowDocument,
} from "../../src/graph/document.ts";
import { type Change, change, startHistory } from "../../src/graph/history.ts";
import { isObject, type Json, parseJson } from "../../src/graph/json.ts";
import * as places from "../../src/graph/place_commands.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { socketsOf } from "../../src/graph/sockets.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { graph, id, linksAsText, link as ends, TOYS } from "./toy.ts";

const done = (document: WorkflowDocument, ...steps: ((document: WorkflowDocument) => Change)[]): WorkflowDocument =>
  steps.reduce((before, step) => change(startHistory(before), step(before)).document, document);

const LINKED = graph({ 1: "Load", 2: "Save", 3: "Save" }, ["1.0 -> 2.images IMAGE", "1.0 -> 3.images IMAGE"]);
const linkTo = (document: WorkflowDocument, target: string): LinkId =>
  Object.values(document.links).find((link) => link.target === id(target))?.id ?? linkId(0);
const way = (document: WorkflowDocument, target: string): Point[] => {
  const link = document.links[linkTo(document, target)];
  return link ? reroutesOf(document, link).map((reroute) => reroute.pos) : [];
};

describe("points of a link", () => {
  const one = (at: number, pos: Point) => (document: WorkflowDocument) =>
    places.addReroute(document, linkTo(document, "2"), at, pos);

  test("stand in the order in which the link passes them", () => {
    const document = done(LINKED, one(0, [50, 0]), one(1, [90, 0]), one(1, [70, 0]), one(0, [10, 0]));
    expect(way(document, "2")).toEqual([
      [10, 0],
      [50, 0],
      [70, 0],
      [90, 0],
    ]);
    expect(way(document, "3")).toEqual([]);
  });

  test("are taken away one by one, and with their link", () => {
    const two = done(LINKED, one(0, [50, 0]), one(1, [90, 0]));
    const [first] = Object.values(two.reroutes);
    expect(
      way(
        done(two, (document) => places.removeReroute(document, first?.id ?? places.nextRerouteId(document))),
        "2",
      ),
    ).toEqual([[90, 0]]);
    const cut = done(two, (document) =>
      disconnect(Object.values(document.links).filter((link) => link.target === id(2))),
    );
    expect(cut.reroutes).toEqual({});
    expect(done(two, () => connect(ends("1.0 -> 2.images IMAGE"))).reroutes).toEqual({});
  });

  test("are kept by a file, and found in it again", () => {
    const document = done(LINKED, one(0, [50, 7]), one(1, [90, 7]));
    const file = writeWorkflow(document, TOYS);
    expect(isObject(file["extra"]) && file["extra"]["reroutes"]).toEqual([
      { id: 1, pos: [50, 7], linkIds: [linkTo(document, "2")] },
      { id: 2, parentId: 1, pos: [90, 7], linkIds: [linkTo(document, "2")] },
    ]);
    const again = readWorkflow(parseJson(JSON.stringify(file)));
    expect(way(again, "2")).toEqual([
      [50, 7],
      [90, 7],
    ]);
    expect(writeWorkflow(again, TOYS)).toEqual(parseJson(JSON.stringify(file)));
  });
});

describe("a file with points that nobody changed is written as it was read", () => {
  const nodes = [
    { id: 1, type: "Load", pos: [0, 0], size: [200, 100], outputs: [{ name: "IMAGE", type: "IMAGE", links: [4] }] },
    { id: 2, type: "Save", pos: [400, 0], size: [200, 100], inputs: [{ name: "images", type: "IMAGE", link: 4 }] },
  ];
  const point = { id: 3, pos: [300, 20], linkIds: [4], strange: true };
  const floating = { id: 9, pos: [1, 2], linkIds: [], floating: { slotType: "output" } };
  const old = {
    nodes,
    links: [[4, 1, 0, 2, 0, "IMAGE"]],
    groups: [],
    version: 0.4,
    last_node_id: 2,
    last_link_id: 4,
    extra: { reroutes: [point, floating], linkExtensions: [{ id: 4, parentId: 3 }], ds: { scale: 1 } },
  };
  const link = { id: 4, origin_id: 1, origin_slot: 0, target_id: 2, target_slot: 0, type: "IMAGE", parentId: 3 };
  const newer = { ...old, version: 1, links: [link], reroutes: [point, floating], extra: {} };
  test.each([
    ["0.4", old],
    ["schema 1", newer],
  ] as [string, Json][])("%s", (_, file) => {
    const document = readWorkflow(file);
    expect(way(document, "2")).toEqual([[300, 20]]);
    expect(writeWorkflow(document, TOYS)).toEqual(file);
    const gone = done(document, (each) =>
      places.removeReroute(each, each.links[linkId(4)]?.via ?? places.nextRerouteId(each)),
    );
    const again = readWorkflow(parseJson(JSON.stringify(writeWorkflow(gone, TOYS))));
    expect(way(again, "2")).toEqual([]);
    expect(Object.keys(again.reroutes)).toEqual(["9"]);
  });
});

describe("groups", () => {
  const document: WorkflowDocument = {
    ...graph({ 1: "Load", 2: "Save", 3: "Save" }),
    groups: [places.newGroup("All", [-20, -60, 600, 300]), places.newGroup("One", [-10, -50, 250, 200])],
  };
  const boxOf = (node: string): places.Bounding => [document.nodes[id(node)]?.pos[0] ?? 0, -30, 200, 130];

  test("hold what stands in them by its middle, and groups wholly", () => {
    const all = places.contentOf(document, 0, boxOf);
    expect([[...all.nodes], [...all.groups]]).toEqual([["1", "2"], [1]]);
    const one = places.contentOf(document, 1, boxOf);
    expect([[...one.nodes], [...one.groups]]).toEqual([["1"], []]);
  });

  test("move with what they hold", () => {
    const content = places.contentOf(document, 1, boxOf);
    const moved = done(document, () => places.movePlaces({ ...content, groups: new Set([1]) }, 5.4, 10));
    expect(moved.groups[1]?.bounding).toEqual([-5, -40, 250, 200]);
    expect(moved.nodes[id(1)]?.pos).toEqual([5, 10]);
    expect(moved.nodes[id(2)]).toBe(document.nodes[id(2)]);
  });

  test("frame boxes with room for their title", () => {
    expect(
      places.boundingOf(
        [
          [0, 0, 100, 50],
          [200, 100, 50, 50],
        ],
        30,
      ),
    ).toEqual([-20, -50, 290, 220]);
    expect(places.boundingOf([], 30)).toBeNull();
  });
});

describe("lining up", () => {
  const box = (name: string, x: number, width: number): Box => ({ id: id(name), x, y: x * 2, width, height: 10 });
  const boxes = [box("a", 0, 10), box("b", 50, 30), box("c", 200, 20)];
  const across = (moves: ReturnType<typeof align>): number[] => boxes.map(({ id }) => moves.get(id)?.[0] ?? 0);
  test("left", () => expect(across(align(boxes, "left"))).toEqual([0, -50, -200]));
  test("right", () => expect(across(align(boxes, "right"))).toEqual([210, 140, 0]));
  test("centre", () => expect(across(align(boxes, "center"))).toEqual([105, 45, -100]));
  test("distributed with equal gaps", () => expect(across(distribute(boxes, true))).toEqual([0, 40, 0]));
  test("two are not distributed", () => expect(distribute(boxes.slice(0, 2), true).size).toBe(0));
});

describe("a node dropped on a link", () => {
  const base = graph({ 1: "Load", 2: "Save", 3: "Blend", 4: "Encode" }, ["1.0 -> 2.images IMAGE"]);
  const attempt = (document: WorkflowDocument, node: string) => {
    const subject = document.nodes[id(node)];
    if (!subject) throw new Error("No such node.");
    return insertionInto(
      document,
      linkTo(document, "2"),
      id(node),
      socketsOf(subject, TOYS.get(subject.type), new Set()),
    );
  };
  test("goes in where an input and an output fit", () => {
    const found = attempt(base, "3");
    expect([found?.into.input, found?.from.input]).toEqual(["a", "images"]);
  });
  test("stays out where none does", () => expect(attempt(base, "4")).toBeNull());
  test("stays out where it would close a cycle", () => {
    expect(attempt(change(startHistory(base), connect(ends("3.0 -> 1.file IMAGE"))).document, "3")).toBeNull();
  });
});

describe("a pasted copy", () => {
  const document = graph({ 1: "Load", 2: "Blend", 3: "Save" }, ["1.0 -> 2.a IMAGE", "2.0 -> 3.images IMAGE"]);
  const copied = parseJson(copyNodes(document, new Set([id(2), id(3)]), TOYS));
  const paste = (withIncoming: boolean): string[] => {
    const { nodes, links } = pasteNodes(document, copied, [0, 0], withIncoming);
    return linksAsText(change(startHistory(document), addNodes(nodes, links)).document);
  };
  const own = ["1.0 -> 2.a IMAGE", "2.0 -> 3.images IMAGE", "4.0 -> 5.images IMAGE"];
  test("has the links among its nodes", () => expect(paste(false)).toEqual(own));
  test("has the points that its links pass, beside those of the original", () => {
    const [, link] = linksOf(document);
    const bent = change(
      startHistory(document),
      places.addReroute(document, link?.id ?? linkId(0), 0, [300, 40]),
    ).document;
    const pasted = pasteNodes(bent, parseJson(copyNodes(bent, new Set([id(2), id(3)]), TOYS)), [1000, 0]);
    const after = change(startHistory(bent), addNodes(pasted.nodes, pasted.links, pasted.reroutes)).document;
    const left = bent.nodes[id(2)]?.pos[0] ?? 0;
    const top = Math.min(...[2, 3].map((each) => bent.nodes[id(each)]?.pos[1] ?? 0));
    expect(Object.values(after.reroutes).map(({ pos }) => pos)).toEqual([
      [300, 40],
      [1300 - left, 40 - top],
    ]);
    const copy = linksOf(after).find((each) => each.target === "5");
    expect(copy && reroutesOf(after, copy).map(({ pos }) => pos)).toEqual([[1300 - left, 40 - top]]);
  });
  test("has those from outside when asked to", () =>
    expect(paste(true)).toEqual([own[0], "1.0 -> 4.a IMAGE", ...own.slice(1)]));
});
