import { describe, expect, test } from "vitest";
import { parseSubmission } from "../../src/protocol/api.ts";
import { parseBinary, parseMessage } from "../../src/protocol/messages.ts";

const message = (type: string, data: object): unknown => parseMessage(JSON.stringify({ type, data }));

describe("messages", () => {
  const cases: [string, object, object | null][] = [
    ["status", { status: { exec_info: { queue_remaining: 3 } }, sid: "x" }, { queueRemaining: 3, sid: "x" }],
    ["executing", { node: 7, prompt_id: "p" }, { node: "7", display: "7", promptId: "p" }],
    ["executing", { node: null, prompt_id: "p" }, { node: null }],
    ["executing", { node: "2.0.0.3", display_node: "2", prompt_id: "p" }, { node: "2.0.0.3", display: "2" }],
    ["execution_cached", { nodes: ["1", "2"], prompt_id: "p" }, { nodes: ["1", "2"] }],
    [
      "executed",
      { node: "9", output: { images: [{ filename: "a.png", subfolder: "", type: "output" }] }, prompt_id: "p" },
      { output: { pictures: [{ filename: "a.png", subfolder: "", type: "output" }], texts: [] } },
    ],
    ["executed", { node: "9", output: null, prompt_id: "p" }, { output: null }],
    [
      "progress_state",
      { prompt_id: "p", nodes: { 3: { value: 2, max: 20, state: "running", display_node_id: "3" } } },
      { nodes: [{ node: "3", display: "3", value: 2, max: 20, state: "running" }] },
    ],
    ["execution_start", {}, null],
    ["a pack's own", { anything: 1 }, null],
  ];
  test.each(cases)("%s", (type, data, expected) => {
    if (expected === null) expect(message(type, data)).toBeNull();
    else expect(message(type, data)).toMatchObject({ type, ...expected });
  });
  test("what is no JSON is passed over", () => expect(parseMessage("{")).toBeNull());
});

describe("binary frames", () => {
  const frame = (...parts: (number | Uint8Array)[]): ArrayBuffer => {
    const bytes = parts.flatMap((part) =>
      typeof part === "number" ? [...new Uint8Array(new Uint32Array([part]).buffer)].toReversed() : [...part],
    );
    return new Uint8Array(bytes).buffer;
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);

  test("a plain preview", async () => {
    const parsed = parseBinary(frame(1, 2, new Uint8Array([9, 8, 7])));
    if (parsed?.type !== "preview") throw new Error("No preview.");
    expect([parsed.image.type, [...new Uint8Array(await parsed.image.arrayBuffer())]]).toEqual([
      "image/png",
      [9, 8, 7],
    ]);
  });
  test("a preview that names its node", () => {
    const about = text(
      JSON.stringify({ node_id: "5:3", display_node_id: "5", prompt_id: "p", image_type: "image/jpeg" }),
    );
    expect(parseBinary(frame(4, about.length, about, new Uint8Array([1])))).toMatchObject({
      type: "preview",
      node: "5",
      promptId: "p",
    });
  });
  test("text of a node", () => {
    expect(parseBinary(frame(3, 1, text("7"), text("half done")))).toEqual({
      type: "text",
      node: "7",
      text: "half done",
    });
  });
  test.each([[frame(4, 999, text("{}"))], [frame(77, 0)], [new ArrayBuffer(3)]])(
    "a frame that makes no sense is passed over",
    (data) => {
      expect(parseBinary(data)).toBeNull();
    },
  );
});

describe("the answer to a prompt", () => {
  test("accepted", () => {
    expect(parseSubmission({ prompt_id: "p", number: 1, node_errors: {} })).toEqual({
      promptId: "p",
      problems: [],
      message: null,
    });
  });
  test("refused inputs are named", () => {
    const errors = [
      {
        type: "value_bigger_than_max",
        message: "Value 9 bigger than max of 5",
        details: "steps",
        extra_info: { input_name: "steps" },
      },
    ];
    const answer = parseSubmission({
      error: {
        type: "prompt_outputs_failed_validation",
        message: "Prompt outputs failed validation",
        details: "",
        extra_info: {},
      },
      node_errors: { 3: { errors, dependent_outputs: ["9"], class_type: "KSampler" } },
    });
    expect(answer).toEqual({
      promptId: null,
      message: null,
      problems: [{ node: "3", input: "steps", message: "Value 9 bigger than max of 5" }],
    });
  });
  test("a refusal that names no node is said as it is", () => {
    const error = { type: "prompt_no_outputs", message: "Prompt has no outputs", details: "", extra_info: {} };
    expect(parseSubmission({ error, node_errors: {} })).toEqual({
      promptId: null,
      problems: [],
      message: "Prompt has no outputs",
    });
  });
  test("an unknown class is a problem of its node", () => {
    const error = {
      type: "missing_node_type",
      message: "Unknown node",
      details: "",
      extra_info: { node_id: "4", class_type: "X" },
    };
    expect(parseSubmission({ error, node_errors: {} }).problems).toEqual([
      { node: "4", input: null, message: "Unknown node" },
    ]);
  });
});
