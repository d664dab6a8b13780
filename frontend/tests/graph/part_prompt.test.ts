import { expect, test } from "vitest";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { nodeId } from "../../src/graph/document.ts";
import { partOf } from "../../src/graph/part_prompt.ts";

const toy = (output: string[], isOutput = false) => ({ input: {}, output, output_node: isOutput });
const definitions = parseObjectInfo({
  Load: toy(["IMAGE"]),
  Count: toy(["INT"]),
  Save: toy([], true),
  PreviewImage: toy([], true),
  PreviewAny: toy([], true),
});
const node = (class_type: string, inputs = {}) => ({ class_type, inputs, _meta: {} });
const prompt = {
  "1": node("Load"),
  "2": node("Save", { images: ["1", 0] }),
  "3": node("Count", { size: [512, 512] }),
  "4": node("Save", { images: ["1", 0], count: ["3", 0] }),
};

function check(ids: string[], expected: string[]): void {
  expect(Object.keys(partOf(prompt, ids.map(nodeId), definitions)).toSorted()).toEqual(expected);
}

test("an output runs with what it needs, and nothing else", () => {
  check(["2"], ["1", "2"]);
  check(["4"], ["1", "3", "4"]);
  check(["2", "4"], ["1", "2", "3", "4"]);
});
test("a node that is no output is shown by one that is", () => {
  const part = partOf(prompt, [nodeId("1")], definitions);
  expect(part["1:shown"]).toEqual({
    class_type: "PreviewImage",
    inputs: { images: ["1", 0] },
    _meta: { title: "Shown" },
  });
  check(["3"], ["3", "3:shown"]);
  expect(partOf(prompt, [nodeId("3")], definitions)["3:shown"]?.class_type).toBe("PreviewAny");
});
test("what is not in the prompt, such as a muted node, asks for nothing", () => check(["9"], []));
