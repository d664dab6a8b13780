import { describe, expect, test } from "vitest";
import { foldingOf } from "../../src/graph/advanced.ts";
import { setShowsAdvanced, setValue } from "../../src/graph/commands.ts";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { nodesOf, type WorkflowDocument } from "../../src/graph/document.ts";
import { change, startHistory, undo } from "../../src/graph/history.ts";
import type { Json } from "../../src/graph/json.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { socketsOf } from "../../src/graph/sockets.ts";
import { widgetsOf } from "../../src/graph/widgets.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { fileWith, id } from "./toy.ts";

const DEFINITIONS = parseObjectInfo({
  Tuned: {
    input: {
      required: {
        image: ["IMAGE", { advanced: true }],
        steps: ["INT", { default: 20 }],
        eta: ["FLOAT", { default: 1, advanced: true }],
      },
      optional: { mask: ["MASK", { advanced: true }] },
    },
    output: ["IMAGE"],
  },
});

const saved = (node: { readonly [key: string]: Json } = {}): WorkflowDocument => fileWith({ type: "Tuned", ...node });

/** Asserts what is hidden on the only node. */
function check(document: WorkflowDocument, hidden: readonly string[], links: readonly string[] = []): void {
  const [node] = nodesOf(document);
  const definition = node && DEFINITIONS.get(node.type);
  if (!definition) throw new Error("The node was not read.");
  const linked = new Set(links);
  const { folded } = foldingOf(node, socketsOf(node, definition, linked), widgetsOf(node, definition), linked);
  expect([...folded].toSorted()).toEqual(hidden);
}

describe("an advanced input is hidden", () => {
  test("while nobody uses it, unless a run needs its link", () => check(saved(), ["eta", "mask"]));
  test("but not with a link", () => check(saved(), ["eta"], ["mask"]));
  test("nor with a link in the place of its value", () => check(saved(), ["mask"], ["eta"]));
  test("nor with a value of its own in the file", () => check(saved({ widgets_values: [20, 0.5] }), ["mask"]));
  test("but with its default in the file", () => check(saved({ widgets_values: [20, 1] }), ["eta", "mask"]));
  test("nor while it is set here, to the default too", () => {
    check(change(startHistory(saved()), setValue(id(1), "eta", 1)).document, ["mask"]);
  });
  test("nor when it was asked for", () => check(saved({ flags: { advanced: true } }), []));
});

test("asking for advanced inputs can be undone, survives a save, and changes nothing when it is taken back", () => {
  const before = saved({ flags: { pinned: true } });
  const shown = change(startHistory(before), setShowsAdvanced([id(1)], true));
  check(shown.document, []);
  check(readWorkflow(writeWorkflow(shown.document, DEFINITIONS)), []);
  check(undo(shown).document, ["eta", "mask"]);
  const back = change(shown, setShowsAdvanced([id(1)], false));
  expect(writeWorkflow(back.document, DEFINITIONS)).toEqual(writeWorkflow(before, DEFINITIONS));
});
