import { describe, expect, test } from "vitest";
import { bestInput, canConnect } from "../../src/graph/connect.ts";
import { socketsOf } from "../../src/graph/sockets.ts";
import { typesFit } from "../../src/graph/types.ts";
import { graph, id, TOYS } from "./toy.ts";

describe("types fit", () => {
  const cases: [string, string, boolean][] = [
    ["IMAGE", "IMAGE", true],
    ["image", "IMAGE", true],
    ["IMAGE", "MASK", false],
    ["*", "MASK", true],
    ["IMAGE", "*", true],
    ["IMAGE", "IMAGE,MASK", true],
    ["LATENT", "IMAGE,MASK", false],
    ["IMAGE, LATENT", "LATENT", true],
    ["", "MODEL", true],
  ];
  test.each(cases)("%s into %s: %s", (output, input, expected) => {
    expect(typesFit(output, input)).toBe(expected);
  });
});

describe("a refused link says why", () => {
  const document = graph({ 1: "Load", 2: "Blend", 3: "Blend" }, ["2.0 -> 3.a IMAGE"]);
  const attempt = (source: string, output: number, target: string, input: string): string => {
    const from = document.nodes[id(source)];
    const to = document.nodes[id(target)];
    if (!from || !to) throw new Error("No such node.");
    const socket = socketsOf(from, TOYS.get(from.type)).outputs[output];
    const into = socketsOf(to, TOYS.get(to.type)).inputs.find((candidate) => candidate.name === input);
    if (!socket || !into) throw new Error("No such socket.");
    const verdict = canConnect(document, { node: from.id, socket }, { node: to.id, socket: into });
    return verdict.ok ? "ok" : verdict.reason;
  };

  test("a fitting link is made", () => expect(attempt("1", 0, "2", "a")).toBe("ok"));
  test("by type", () => expect(attempt("1", 1, "2", "a")).toBe("MASK does not fit “a”, which takes IMAGE."));
  test("to itself", () => expect(attempt("2", 0, "2", "b")).toBe("A node cannot feed itself."));
  test("round in a circle", () => expect(attempt("3", 0, "2", "b")).toBe("This link would close a cycle."));
});

test("a link dropped on a node takes a free socket before a linked one, and a socket before a widget", () => {
  const node = graph({ 1: "Blend" }).nodes[id(1)];
  if (!node) throw new Error("No node.");
  const sockets = socketsOf(node, TOYS.get("Blend"));
  expect(bestInput(sockets, "IMAGE", new Set())?.name).toBe("a");
  expect(bestInput(sockets, "IMAGE", new Set(["a"]))?.name).toBe("b");
  expect(bestInput(sockets, "FLOAT", new Set())?.name).toBe("amount");
  expect(bestInput(sockets, "MODEL", new Set())).toBeUndefined();
});
