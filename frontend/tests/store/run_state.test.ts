import { describe, expect, test } from "vitest";
import type { ServerMessage } from "../../src/protocol/messages.ts";
import {
  caughtUp,
  filledIn,
  IDLE,
  overallProgress,
  phaseOf,
  reduceRun,
  refused,
  type RunState,
  submitted,
  withPreview,
} from "../../src/store/run_state.ts";

const START = submitted(IDLE, "p", ["1", "2", "3"]);
const play = (state: RunState, ...messages: readonly ServerMessage[]): RunState =>
  messages.reduce((run, message, index) => reduceRun(run, message, index * 100), state);
const begin: ServerMessage = { type: "execution_start", promptId: "p" };
const cached = (...nodes: string[]): ServerMessage => ({ type: "execution_cached", promptId: "p", nodes });
const executing = (node: string | null): ServerMessage => ({ type: "executing", promptId: "p", node, display: node });
const progress = (node: string, value: number, max: number): ServerMessage => ({
  type: "progress",
  promptId: "p",
  node,
  value,
  max,
});
const state = (node: string, name: "running" | "finished"): ServerMessage => ({
  type: "progress_state",
  promptId: "p",
  nodes: [{ node, display: node, value: 0, max: 1, state: name }],
});
const success: ServerMessage = { type: "execution_success", promptId: "p" };
const failure = (exception: string): ServerMessage => ({
  type: "execution_error",
  promptId: "p",
  failure: { node: "2", classType: "KSampler", exception, message: "It broke.", traceback: "line 1" },
});
const states = (run: RunState): Record<string, string> =>
  Object.fromEntries(Object.entries(run.nodes).map(([id, node]) => [id, node.state]));

describe("a run", () => {
  test("goes from queued to running to idle", () => {
    expect([IDLE, START, play(START, begin), play(START, begin, success)].map(phaseOf)).toEqual([
      "idle",
      "queued",
      "running",
      "idle",
    ]);
  });
  test("marks what is reused, what runs, and what waits", () => {
    const run = play(START, begin, cached("1"), executing("2"), progress("2", 5, 20));
    expect(states(run)).toEqual({ "1": "cached", "2": "running", "3": "waiting" });
    expect(run.nodes["2"]).toMatchObject({ value: 5, max: 20 });
    expect(overallProgress(run)).toBeCloseTo((1 + 0.25) / 3);
  });
  test("knows how long a node took", () => {
    const run = play(START, begin, state("1", "running"), executing("1"), state("1", "finished"));
    expect(run.nodes["1"]).toMatchObject({ state: "done", ms: 200 });
  });
  test("lets branches run at once", () => {
    const run = play(START, begin, state("1", "running"), state("2", "running"), executing("2"));
    expect(states(run)).toEqual({ "1": "running", "2": "running", "3": "waiting" });
  });
  test("keeps the mark of a reused output that says it executed", () => {
    const output = { pictures: [{ filename: "a.png", subfolder: "", type: "output" }], texts: [] };
    const run = play(START, begin, cached("3"), { type: "executed", promptId: "p", node: "3", display: "3", output });
    expect(states(run)["3"]).toBe("cached");
    expect(run.pictures["3"]).toEqual(output.pictures);
  });
  test("shows inner nodes of a subgraph at its instance", () => {
    const run = play(submitted(IDLE, "p", ["5:1", "5:2"]), begin, executing("5:1"), progress("5:1", 1, 4));
    expect(run.nodes["5"]).toMatchObject({ state: "running", value: 1, max: 4 });
  });
  test("shows what a node expanded into at that node, which ends after all of it", () => {
    const child = { node: "2.0.0.3", display: "2" };
    const working: ServerMessage = {
      type: "progress_state",
      promptId: "p",
      nodes: [{ ...child, state: "running", value: 2, max: 8 }],
    };
    const run = play(START, begin, executing("2"), working, progress("2.0.0.3", 3, 8));
    expect(states(run)).toEqual({ "1": "waiting", "2": "running", "3": "waiting" });
    expect(run.nodes["2"]).toMatchObject({ value: 3, max: 8 });
    const output = { pictures: [{ filename: "a.png", subfolder: "", type: "temp" }], texts: [] };
    const after = play(run, { type: "executed", promptId: "p", ...child, output }, state("2.0.0.3", "finished"));
    expect(states(after)).toEqual({ "1": "waiting", "2": "running", "3": "waiting" });
    expect(after.pictures).toEqual({ "2": output.pictures });
    expect(overallProgress(after)).toBeLessThan(0.34);
    expect(states(play(after, state("2", "finished")))["2"]).toBe("done");
  });
  test("that fails marks the node and says why", () => {
    const run = play(START, begin, executing("2"), failure("ValueError"));
    expect(states(run)).toEqual({ "2": "error" });
    expect(run.problems).toEqual([
      { id: "failure-2", node: "2", input: null, message: "It broke.", details: "line 1" },
    ]);
    expect(run.last).toMatchObject({ outcome: "error" });
  });
  test("goes on where only a branch is blocked", () => {
    const run = play(START, begin, executing("2"), failure("ExecutionBlocked"), executing("3"));
    expect(phaseOf(run)).toBe("running");
    expect(play(run, success).last).toMatchObject({ outcome: "success" });
  });
  test("that is interrupted leaves no node waiting", () => {
    const run = play(START, begin, executing("1"), { type: "execution_interrupted", promptId: "p" });
    expect(states(run)).toEqual({});
    expect(run.last).toMatchObject({ outcome: "interrupted" });
  });
  test("of another client changes nothing here", () => {
    const run = play(START, begin, executing("1"));
    expect(reduceRun(run, { type: "progress", promptId: "other", node: "1", value: 3, max: 4 }, 0)).toBe(run);
    expect(reduceRun(run, { type: "execution_start", promptId: "other" }, 0)).toBe(run);
  });
  test("that is refused marks the nodes and their inputs", () => {
    const run = refused(START, [{ node: "3", input: "steps", message: "Too big" }], null);
    expect(states(run)).toEqual({ "3": "error" });
    expect(run.problems[0]).toMatchObject({ node: "3", input: "steps", message: "Too big" });
  });
  test("begins without the errors of the one before", () => {
    const run = play(submitted(refused(IDLE, [{ node: "3", input: null, message: "x" }], null), "p", ["1"]), begin);
    expect(run.problems).toEqual([]);
    expect(states(run)).toEqual({ "1": "waiting" });
  });
});

test("a preview without a node's name goes to the one that runs", () => {
  const run = play(START, begin, executing("2"));
  expect(withPreview(run, null, null, "blob:1").previews).toEqual({ "2": "blob:1" });
  expect(withPreview(run, "other", "2", "blob:1")).toBe(run);
});

test("a run whose start was missed is joined, and what it made before is filled in", () => {
  const run = play(START, executing("2"), progress("2", 5, 20));
  expect(run).toMatchObject({ running: "p", isJoined: true });
  const ended = play(run, success);
  expect(ended.last).toEqual({ promptId: "p", outcome: "success", ms: null });
  const pictures = [{ filename: "a.png", subfolder: "", type: "output" }];
  const result = { outputs: new Map([["3", { pictures, texts: [] }]]), isSuccess: true, failure: null, nodes: [] };
  expect(filledIn(ended, "p", result).pictures).toEqual({ "3": pictures });
  expect(filledIn(ended, "another", result)).toBe(ended);
});

test("a run that ended unheard is caught up", () => {
  const pictures = [{ filename: "a.png", subfolder: "", type: "output" }];
  const result = {
    outputs: new Map([["3", { pictures, texts: [] }]]),
    isSuccess: true,
    failure: null,
    nodes: ["1", "2", "3"],
  };
  const run = caughtUp(START, "p", result, 50);
  expect(phaseOf(run)).toBe("idle");
  expect(run.pictures).toEqual({ "3": pictures });
  expect(run.last).toEqual({ promptId: "p", outcome: "success", ms: null });
});
