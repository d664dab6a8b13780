import { describe, expect, test } from "vitest";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { change, startHistory } from "../../src/graph/history.ts";
import { setValue } from "../../src/graph/commands.ts";
import type { Json } from "../../src/graph/json.ts";
import { nodesOf } from "../../src/graph/document.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { widgetsOf } from "../../src/graph/widgets.ts";
import { fileWith, id, TOYS } from "./toy.ts";

/** Asserts the values that a saved node shows, and how many of them had to be given up. */
function check(node: { readonly [key: string]: Json }, expected: { readonly [key: string]: Json }, warnings = 0): void {
  const [first] = nodesOf(fileWith(node));
  if (!first) throw new Error("The node was not read.");
  const widgets = widgetsOf(first, TOYS.get(first.type));
  expect(widgets.values).toEqual(expected);
  expect(widgets.warnings.length).toBe(warnings);
}

describe("values are restored", () => {
  test("by position, with the control after the seed", () => {
    check(
      { type: "Noise", widgets_values: [5, "fixed", 0.3] },
      { seed: 5, control_after_generate: "fixed", strength: 0.3 },
    );
  });
  test("by name before position", () => {
    const named = { seed: 9, control_after_generate: "increment", strength: 1.5 };
    check({ type: "Noise", widgets_values: [1, "fixed", 1], widgets_values_named: named }, named);
  });
  test("from an object in place of the array", () => {
    check(
      { type: "Noise", widgets_values: { strength: 0.2, seed: 3 } },
      { seed: 3, control_after_generate: "randomize", strength: 0.2 },
    );
  });
  test("with the defaults where a file has none", () => {
    check({ type: "Blend" }, { amount: 0.5, mode: "add" });
  });
  test("moved by one place where that repairs all of them", () => {
    check(
      { type: "Noise", widgets_values: ["a widget that is gone", 5, "fixed", 0.3] },
      { seed: 5, control_after_generate: "fixed", strength: 0.3 },
    );
  });
  test("old words of the control", () => {
    check(
      { type: "Noise", widgets_values: [5, true, 0.3] },
      { seed: 5, control_after_generate: "randomize", strength: 0.3 },
    );
  });
  test("numbers that were saved as text", () => {
    check({ type: "Blend", widgets_values: ["0.25", "mix"] }, { amount: 0.25, mode: "mix" });
  });
  test("an option that the server does not have stays", () => {
    check({ type: "Blend", widgets_values: [0.5, "multiply"] }, { amount: 0.5, mode: "multiply" });
  });
  test("what does not fit becomes the default, with a warning", () => {
    check({ type: "Blend", widgets_values: [{ a: 1 }, "mix"] }, { amount: 0.5, mode: "mix" }, 1);
  });
  test("the upload's own entry comes last", () => {
    check({ type: "Load", widgets_values: ["b.png", "image"] }, { file: "b.png", upload: "image" });
  });
});

test("a changed node writes its values by position and by name", () => {
  const document = fileWith({ type: "Noise", widgets_values: [5, "fixed", 0.3] });
  const changed = change(startHistory(document), setValue(id(1), "seed", 6)).document;
  const [node] = writeWorkflow(changed, TOYS)["nodes"] as { [key: string]: Json }[];
  expect(node?.["widgets_values"]).toEqual([6, "fixed", 0.3]);
  expect(node?.["widgets_values_named"]).toEqual({ seed: 6, control_after_generate: "fixed", strength: 0.3 });
});

describe("inputs that depend on values", () => {
  const definitions = parseObjectInfo({
    Resize: {
      input: {
        required: {
          how: [
            "COMFY_DYNAMICCOMBO_V3",
            {
              options: [
                { key: "by", inputs: { required: { factor: ["FLOAT", { default: 2 }] } } },
                { key: "to", inputs: { required: { width: ["INT", {}], height: ["INT", {}] } } },
              ],
            },
          ],
          filter: [["near", "far"], {}],
        },
      },
      output: ["IMAGE"],
    },
  });
  const valuesOf = (saved: Json[]): Json => {
    const [node] = nodesOf(fileWith({ type: "Resize", widgets_values: saved }));
    return node ? (widgetsOf(node, definitions.get("Resize")).values as Json) : null;
  };

  test("the chosen option brings its own widgets", () => {
    expect(valuesOf(["to", 64, 32, "far"])).toEqual({ how: "to", "how.width": 64, "how.height": 32, filter: "far" });
    expect(valuesOf(["by", 3, "near"])).toEqual({ how: "by", "how.factor": 3, filter: "near" });
  });
});
