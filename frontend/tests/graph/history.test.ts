import * as fc from "fast-check";
import { apply } from "mutative";
import { describe, expect, test } from "vitest";
import * as commands from "../../src/graph/commands.ts";
import * as places from "../../src/graph/place_commands.ts";
import { nodesOf, rerouteId, reroutesOf, type WorkflowDocument } from "../../src/graph/document.ts";
import {
  type Change,
  change,
  changeQuietly,
  endGesture,
  type History,
  redo,
  startHistory,
  undo,
} from "../../src/graph/history.ts";
import { graph, id, link, linksAsText } from "./toy.ts";

const START = graph({ 1: "Load", 2: "Noise", 3: "Blend", 4: "Save" }, [
  "1.0 -> 3.a IMAGE",
  "2.0 -> 3.b IMAGE",
  "3.0 -> 4.images IMAGE",
]);

/** Any sequence of what a person can do; commands look at the document that they find. */
const anyCommand = fc
  .tuple(fc.integer({ min: 0, max: 12 }), fc.nat(), fc.nat(), fc.integer({ min: -500, max: 500 }))
  .map(([kind, a, b, n]) => (document: WorkflowDocument): Change => {
    const ids = nodesOf(document).map((node) => node.id);
    const one = ids[a % Math.max(1, ids.length)] ?? id(99);
    const other = ids[b % Math.max(1, ids.length)] ?? id(99);
    switch (kind) {
      case 0:
        return commands.addNodes([commands.newNode(commands.nextNodeId(document), "Noise", [n, n], [200, 100])]);
      case 1:
        return commands.removeNodes(document, new Set([one, other]));
      case 2:
        return commands.moveNodes(new Map([[one, [n, -n]]]));
      case 3:
        return commands.connect({ source: one, output: 0, target: other, input: "a", type: "IMAGE" });
      case 4:
        return commands.setValue(one, "strength", n);
      case 5:
        return commands.setModes([one, other], n > 0 ? 2 : 4, "mode");
      case 6:
        return places.addGroup(places.newGroup("Group", [n, n, 100, 100]));
      case 7:
        return places.removeGroup(a % Math.max(1, document.groups.length));
      case 8: {
        const links = Object.values(document.links);
        const chosen = links[a % Math.max(1, links.length)];
        return chosen
          ? places.addReroute(document, chosen.id, b % (reroutesOf(document, chosen).length + 1), [n, n])
          : commands.rename(one, "no link");
      }
      case 9:
        return places.removeReroute(document, rerouteId(a % 4));
      case 10: {
        const moved = { nodes: new Set([one]), groups: new Set([0]), reroutes: new Set([rerouteId(1)]) };
        return places.movePlaces(moved, n, b % 9);
      }
      case 11:
        return commands.replaceDocument(n > 0 ? START : { ...document, groups: [] }, "restore");
      default:
        return commands.rename(one, `node ${n}`);
    }
  });

test("undoing everything gives the first document, redoing everything the last", () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), (steps) => {
      let history: History = startHistory(START);
      for (const step of steps) history = change(history, step(history.document));
      const last = history.document;
      const count = history.past.length;
      for (let index = 0; index < count; index += 1) history = undo(history);
      expect(history.document).toEqual(START);
      expect(JSON.stringify(history.document)).toBe(JSON.stringify(START));
      for (let index = 0; index < count; index += 1) history = redo(history);
      expect(history.document).toEqual(last);
    }),
    { numRuns: 60 },
  );
});

test("what a journal has of each step gives the same documents again, undone ones too", () => {
  const steps = fc.array(fc.tuple(anyCommand, fc.constantFrom("do", "do", "undo", "redo", "quietly")), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(steps, (steps) => {
      let history: History = startHistory(START);
      let journalled: WorkflowDocument = START;
      for (const [index, [step, how]] of steps.entries()) {
        const before = history;
        if (how === "do") history = change(history, step(history.document));
        else if (how === "quietly") history = changeQuietly(history, commands.setValue(id(2), "seed", index).recipe);
        else history = how === "undo" ? undo(history) : redo(history);
        if (history !== before)
          journalled = history.applied.reduce((known, patches) => apply(known, patches), journalled);
        expect(journalled).toEqual(history.document);
      }
      expect(JSON.stringify(journalled)).toBe(JSON.stringify(history.document));
    }),
    { numRuns: 200 },
  );
});

test("every link of every reachable document joins nodes that are there, one an input", () => {
  fc.assert(
    fc.property(fc.array(anyCommand, { maxLength: 30 }), (steps) => {
      let history: History = startHistory(START);
      for (const step of steps) history = change(history, step(history.document));
      const { nodes, links } = history.document;
      const inputs = Object.values(links).map((each) => `${each.target}.${each.input}`);
      expect(new Set(inputs).size).toBe(inputs.length);
      for (const each of Object.values(links))
        expect([each.source in nodes, each.target in nodes]).toEqual([true, true]);
      const passed = Object.values(links).flatMap((each) =>
        reroutesOf(history.document, each).map((point) => point.id),
      );
      expect(new Set(passed)).toEqual(new Set(Object.values(history.document.reroutes).map((point) => point.id)));
    }),
    { numRuns: 60 },
  );
});

describe("a gesture is one step", () => {
  const type = (history: History, text: string): History => change(history, commands.setValue(id(2), "strength", text));

  test("until it ends", () => {
    let history = startHistory(START);
    for (const text of ["a", "ab", "abc"]) history = type(history, text);
    expect(history.past.length).toBe(1);
    expect(undo(history).document).toEqual(START);
    history = type(endGesture(history), "abcd");
    expect(history.past.length).toBe(2);
    expect(undo(history).document.nodes[id(2)]?.values["strength"]).toBe("abc");
  });

  test("and does not go on after an undo", () => {
    const history = type(undo(type(type(startHistory(START), "a"), "ab")), "b");
    expect(history.past.length).toBe(1);
    expect(history.future.length).toBe(0);
  });
});

test("a change that changes nothing is no step", () => {
  expect(change(startHistory(START), commands.moveNodes(new Map())).past).toEqual([]);
  const set = commands.setValue(id(2), "strength", 0.5);
  const history = endGesture(change(startHistory(START), set));
  expect(change(history, set).past.length).toBe(1);
});

test("a quiet change is kept by undo and is no step of it", () => {
  let history = change(startHistory(START), commands.moveNodes(new Map([[id(1), [9, 9]]])));
  history = changeQuietly(history, commands.setValue(id(2), "seed", 77).recipe);
  history = undo(history);
  expect(history.document.nodes[id(1)]?.pos).toEqual([0, 0]);
  expect(history.document.nodes[id(2)]?.values["seed"]).toBe(77);
});

describe("removing nodes", () => {
  const after = (types: { [id: string]: string }, links: string[], removed: string[]): string[] => {
    const document = graph(types, links);
    return linksAsText(
      change(startHistory(document), commands.removeNodes(document, new Set(removed.map(id)))).document,
    );
  };

  test("joins what went through them", () => {
    expect(after({ 1: "Load", 2: "Blend", 3: "Save" }, ["1.0 -> 2.a IMAGE", "2.0 -> 3.images IMAGE"], ["2"])).toEqual([
      "1.0 -> 3.images IMAGE",
    ]);
  });

  test("joins through several at once", () => {
    const links = ["1.0 -> 2.a IMAGE", "2.0 -> 3.b IMAGE", "3.0 -> 4.images IMAGE"];
    expect(after({ 1: "Load", 2: "Blend", 3: "Blend", 4: "Save" }, links, ["2", "3"])).toEqual([
      "1.0 -> 4.images IMAGE",
    ]);
  });

  test("drops what has no counterpart of its type", () => {
    expect(
      after({ 1: "Load", 2: "Encode", 3: "Save" }, ["1.1 -> 2.mask MASK", "2.0 -> 3.images LATENT"], ["2"]),
    ).toEqual([]);
  });
});

test("a new link replaces the one that was there", () => {
  const history = change(startHistory(START), commands.connect(link("2.0 -> 3.a IMAGE")));
  expect(linksAsText(history.document)).toContain("2.0 -> 3.a IMAGE");
  expect(linksAsText(history.document)).not.toContain("1.0 -> 3.a IMAGE");
});
