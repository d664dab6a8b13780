import { describe, expect, test } from "vitest";
import type { Json } from "../../src/graph/json.ts";
import { differences, parseJobs, parsePackProblems, picturesOf } from "../../src/protocol/jobs.ts";

const item = (number: number, id: string): Json => [number, id, { "1": { class_type: "A", inputs: {} } }, {}, []];
const entry = (number: number, id: string, status: Json, outputs: Json = {}): Json => ({
  prompt: item(number, id),
  outputs,
  status,
});
const ended = (event: string, data: object = {}): Json => ({
  status_str: event === "execution_success" ? "success" : "error",
  messages: [
    ["execution_start", { timestamp: 1000 }],
    [event, { timestamp: 3500, ...data }],
  ],
});

describe("the jobs", () => {
  const queue = { queue_running: [item(5, "e")], queue_pending: [item(7, "g"), item(6, "f")] };
  const history = {
    a: entry(1, "a", ended("execution_success")),
    b: entry(2, "b", ended("execution_error", { exception_message: "It broke." })),
    c: entry(3, "c", ended("execution_interrupted")),
    e: entry(5, "e", ended("execution_success")),
  };
  const jobs = parseJobs(queue, history);

  test("stand in the order of their turns, what has ended last first, none twice", () => {
    expect(jobs.map((job) => [job.id, job.state])).toEqual([
      ["e", "running"],
      ["f", "pending"],
      ["g", "pending"],
      ["c", "interrupted"],
      ["b", "error"],
      ["a", "success"],
    ]);
  });
  test("say how long they took and why they failed", () => {
    expect(jobs.map((job) => job.ms)).toEqual([null, null, null, 2500, 2500, 2500]);
    expect(jobs.find((job) => job.id === "b")?.failure).toBe("It broke.");
  });
  test("show what was saved before what was only looked at", () => {
    const picture = (filename: string, type: string): Json => ({ filename, subfolder: "", type });
    const outputs = { "8": { images: [picture("p.png", "temp")] }, "9": { images: [picture("s.png", "output")] } };
    const [job] = parseJobs({}, { a: entry(1, "a", ended("execution_success"), outputs) });
    expect(job && picturesOf(job).map((each) => each.filename)).toEqual(["s.png", "p.png"]);
  });
  test("are none where the answer makes no sense", () => expect(parseJobs("?", [1])).toEqual([]));
});

test("a job differs from the one before by its values, not by its links", () => {
  const sampler = (inputs: Json): { prompt: { [id: string]: Json } } => ({
    prompt: { "3": { class_type: "KSampler", inputs, _meta: { title: "Sample" } } },
  });
  const before = sampler({ seed: 9007199254740993n, steps: 20, model: ["1", 0] });
  const after = sampler({ seed: 9007199254740995n, steps: 20, model: ["2", 0] });
  expect(differences(after, before)).toEqual([{ title: "Sample", input: "seed", value: 9007199254740995n }]);
  expect(differences(after, undefined)).toEqual([]);
});

test("only packs that were not loaded are problems", () => {
  const good = { name: "good", error: null, traceback: [] };
  const bad = { name: "bad", error: "It needs 'x'.", traceback: ["line 1", "line 2"] };
  expect(parsePackProblems([good, bad])).toEqual([
    { name: "bad", error: "It needs 'x'.", traceback: "line 1\nline 2" },
  ]);
});
