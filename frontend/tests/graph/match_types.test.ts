import { describe, expect, test } from "vitest";
import { canConnect } from "../../src/graph/connect.ts";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import type { Json } from "../../src/graph/json.ts";
import { matchedSockets } from "../../src/graph/match_types.ts";
import { graph, id } from "./toy.ts";

const template = (allowed: string): Json => [
  "COMFY_MATCHTYPE_V3",
  { template: { template_id: "T", allowed_types: allowed } },
];
const switchOf = (allowed: string): Json => ({
  input: { required: { yes: template(allowed), no: template(allowed) } },
  output: ["COMFY_MATCHTYPE_V3"],
  output_matchtypes: ["T"],
});
const DEFINITIONS = parseObjectInfo({
  Picture: { input: { required: {} }, output: ["IMAGE", "MASK", "LATENT"] },
  Save: { input: { required: { images: ["IMAGE"] } }, output: [] },
  Switch: switchOf("*"),
  Narrow: switchOf("IMAGE,MASK"),
});

/** Asserts what is said to a link from output `output` of node `source` into an input of node `target`. */
function check(
  types: { readonly [id: string]: string },
  links: readonly string[],
  [source, output, target, input]: readonly [string, number, string, string],
  expected: string,
): void {
  const document = graph(types, links);
  const socketsAt = (key: string) => {
    const node = document.nodes[id(key)];
    if (!node) throw new Error("No such node.");
    return matchedSockets(document, DEFINITIONS, node);
  };
  const from = socketsAt(source).outputs[output];
  const into = socketsAt(target).inputs.find((socket) => socket.name === input);
  if (!from || !into) throw new Error("No such socket.");
  const verdict = canConnect(document, { node: id(source), socket: from }, { node: id(target), socket: into });
  expect(verdict.ok ? "ok" : verdict.reason).toBe(expected);
}

describe("what a template gives", () => {
  const types = { 1: "Picture", 2: "Switch", 3: "Switch", 4: "Save", 5: "Narrow" };
  const refused = (type: string): string => `${type} does not fit “images”, which takes IMAGE.`;
  test("is anything while nothing is linked", () => check(types, [], ["2", 0, "4", "images"], "ok"));
  test("is what is linked", () => check(types, ["1.0 -> 2.yes IMAGE"], ["2", 0, "4", "images"], "ok"));
  test("and nothing else", () => check(types, ["1.2 -> 2.yes LATENT"], ["2", 0, "4", "images"], refused("LATENT")));
  test("is either of two", () => {
    check(types, ["1.0 -> 2.yes IMAGE", "1.1 -> 2.no MASK"], ["2", 0, "4", "images"], "ok");
    check(types, ["1.2 -> 2.yes LATENT", "1.1 -> 2.no MASK"], ["2", 0, "4", "images"], refused("LATENT,MASK"));
  });
  test("flows through one after another", () => {
    check(types, ["1.1 -> 2.yes MASK", "2.0 -> 3.no MASK"], ["3", 0, "4", "images"], refused("MASK"));
  });
  test("is what is allowed while nothing is linked", () => check(types, [], ["5", 0, "4", "images"], "ok"));
});

describe("what a template takes", () => {
  const types = { 1: "Picture", 2: "Switch", 5: "Narrow" };
  test("is what it allows", () => check(types, [], ["1", 1, "5", "yes"], "ok"));
  test("and nothing else", () => {
    check(types, [], ["1", 2, "5", "yes"], "LATENT does not fit “yes”, which takes IMAGE,MASK.");
  });
  test("nor what flows to it through another", () => {
    const reason = "LATENT does not fit “no”, which takes IMAGE,MASK.";
    check(types, ["1.2 -> 2.yes LATENT"], ["2", 0, "5", "no"], reason);
  });
});
