/** What is known of runs: a pure reduction of the server's messages. Knows no WebSocket and no document. */
import type { Failure, NodeOutput, Picture, ServerMessage } from "../protocol/messages.ts";
import type { Finished, InputProblem } from "../protocol/api.ts";

export interface NodeRun {
  readonly state: "waiting" | "running" | "cached" | "done" | "error";
  readonly value: number;
  readonly max: number;
  readonly startedAt: number | null;
  /** How long it ran; null until it is done. */
  readonly ms: number | null;
}

export interface Problem {
  readonly id: string;
  /** The node to locate; null when the whole prompt is meant. */
  readonly node: string | null;
  readonly input: string | null;
  readonly message: string;
  readonly details: string;
}

export type Phase = "idle" | "queued" | "running";
export type Outcome = "success" | "error" | "interrupted";

export interface RunState {
  readonly queueRemaining: number;
  /** Prompts sent from here that have not ended: id -> ids of their nodes. */
  readonly waiting: ReadonlyMap<string, readonly string[]>;
  readonly running: string | null;
  readonly startedAt: number | null;
  /** Listening began after the run had: what it said before is in the history only. */
  readonly isJoined: boolean;
  readonly last: { readonly promptId: string; readonly outcome: Outcome; readonly ms: number | null } | null;
  readonly nodes: { readonly [node: string]: NodeRun };
  /** Execution ids, inner nodes of subgraphs included, that are done or reused in the current run. */
  readonly finished: ReadonlySet<string>;
  readonly pictures: { readonly [node: string]: readonly Picture[] };
  readonly texts: { readonly [node: string]: readonly string[] };
  readonly previews: { readonly [node: string]: string };
  readonly problems: readonly Problem[];
}

export const IDLE: RunState = {
  queueRemaining: 0,
  waiting: new Map(),
  running: null,
  startedAt: null,
  isJoined: false,
  last: null,
  nodes: {},
  finished: new Set(),
  pictures: {},
  texts: {},
  previews: {},
  problems: [],
};

const FRESH: NodeRun = { state: "waiting", value: 0, max: 0, startedAt: null, ms: null };

/** A node of a subgraph is shown at the instance that stands in the document. */
export function shownAt(executionId: string): string {
  return executionId.split(":")[0] ?? executionId;
}

/** The node in the document at which to show this one: the one that it was expanded from, or its subgraph's instance. */
export function placeOf(run: RunState, executionId: string): string {
  return shownAt(ownerOf(run, executionId));
}

/** Nodes that a node expanded into have ids that begin with its own. */
function ownerOf(run: RunState, id: string): string {
  const known = run.running === null || !id.includes(".") ? undefined : run.waiting.get(run.running);
  if (!known || known.includes(id)) return id;
  for (let end = id.lastIndexOf("."); end > 0; end = id.lastIndexOf(".", end - 1)) {
    if (known.includes(id.slice(0, end))) return id.slice(0, end);
  }
  return id;
}

export function phaseOf(run: RunState): Phase {
  return run.running !== null ? "running" : run.waiting.size > 0 ? "queued" : "idle";
}

/** 0 to 1 over all nodes of the running prompt; null when nothing runs. */
export function overallProgress(run: RunState): number | null {
  if (run.running === null) return null;
  const total = run.waiting.get(run.running)?.length ?? 0;
  if (total === 0) return 0;
  const partial = Object.values(run.nodes).reduce(
    (sum, node) => sum + (node.state === "running" && node.max > 0 ? node.value / node.max : 0),
    0,
  );
  return Math.min(1, (run.finished.size + partial) / total);
}

export function submitted(run: RunState, promptId: string, nodes: readonly string[]): RunState {
  return { ...run, waiting: new Map([...run.waiting, [promptId, nodes]]) };
}

export function refused(run: RunState, problems: readonly InputProblem[], message: string | null): RunState {
  const nodes = { ...run.nodes };
  for (const problem of problems) nodes[shownAt(problem.node)] = { ...FRESH, state: "error" };
  const listed = problems.map((problem, index): Problem => ({
    id: `validation-${index}`,
    node: shownAt(problem.node),
    input: problem.input,
    message: problem.message,
    details: "",
  }));
  const whole = message === null ? [] : [{ id: "prompt", node: null, input: null, message, details: "" }];
  return { ...run, nodes, problems: [...whole, ...listed] };
}

export function clearProblems(run: RunState): RunState {
  const nodes = Object.fromEntries(Object.entries(run.nodes).filter(([, node]) => node.state !== "error"));
  return { ...run, problems: [], nodes };
}

export function withPreview(run: RunState, promptId: string | null, node: string | null, url: string): RunState {
  const shown = node === null ? runningNode(run) : placeOf(run, node);
  if (shown === null || (promptId !== null && !run.waiting.has(promptId))) return run;
  return { ...run, previews: { ...run.previews, [shown]: url } };
}

function runningNode(run: RunState): string | null {
  return Object.entries(run.nodes).find(([, node]) => node.state === "running")?.[0] ?? null;
}

/** The state after a message. Messages of other clients' prompts change nothing but the queue's length. */
export function reduceRun(before: RunState, message: ServerMessage, now: number): RunState {
  const run = join(before, message, now);
  switch (message.type) {
    case "status":
      return { ...run, queueRemaining: message.queueRemaining };
    case "feature_flags":
      return run;
    case "execution_start":
      return run.waiting.has(message.promptId) ? start(run, message.promptId, now) : run;
    case "execution_cached":
      return isOurs(run, message.promptId)
        ? message.nodes.reduce((state, id) => settle(state, id, "cached", now), run)
        : run;
    case "executing":
      if (message.node === null)
        return message.promptId === null || message.promptId === run.running ? run : drop(run, message.promptId);
      return isOurs(run, message.promptId) ? begin(run, message.display ?? message.node, now) : run;
    case "progress":
      if (message.node === null || !isOurs(run, message.promptId)) return run;
      return update(run, message.node, { state: "running", value: message.value, max: message.max });
    case "progress_state":
      return isOurs(run, message.promptId)
        ? message.nodes.reduce((state, node) => advance(state, node, now), run)
        : run;
    case "executed":
      return isOurs(run, message.promptId)
        ? show(settle(run, message.node, "done", now), message.display, message.output)
        : run;
    case "execution_success":
      return finish(run, message.promptId, "success", now);
    case "execution_error":
      // A blocked branch is reported while the rest of the run goes on.
      if (message.failure.exception === "ExecutionBlocked") return fail(run, message.promptId, message.failure);
      return finish(fail(run, message.promptId, message.failure), message.promptId, "error", now);
    case "execution_interrupted":
      return finish(run, message.promptId, "interrupted", now);
  }
}

/** A reload may have missed the start of a run that is ours. */
function join(run: RunState, message: ServerMessage, now: number): RunState {
  if (run.running !== null || message.type === "execution_start" || !("promptId" in message)) return run;
  const { promptId } = message;
  if (promptId === null || !run.waiting.has(promptId) || ("node" in message && message.node === null)) return run;
  return { ...start(run, promptId, now), isJoined: true };
}

function isOurs(run: RunState, promptId: string | null): boolean {
  return run.running !== null && (promptId === null || promptId === run.running);
}

function start(run: RunState, promptId: string, now: number): RunState {
  const nodes: Record<string, NodeRun> = {};
  for (const id of run.waiting.get(promptId) ?? []) nodes[shownAt(id)] = FRESH;
  return {
    ...run,
    running: promptId,
    startedAt: now,
    isJoined: false,
    nodes,
    finished: new Set(),
    previews: {},
    problems: [],
  };
}

function update(run: RunState, id: string, fields: Partial<NodeRun>): RunState {
  const shown = placeOf(run, id);
  return { ...run, nodes: { ...run.nodes, [shown]: { ...(run.nodes[shown] ?? FRESH), ...fields } } };
}

function begin(run: RunState, id: string, now: number): RunState {
  const known = run.nodes[placeOf(run, id)];
  return known?.state === "running" ? run : update(run, id, { state: "running", startedAt: now, value: 0, max: 0 });
}

function settle(run: RunState, id: string, state: "done" | "cached", now: number): RunState {
  // The node that it was expanded from ends when all of these have.
  if (ownerOf(run, id) !== id) return run;
  const finished = run.finished.has(id) ? run.finished : new Set([...run.finished, id]);
  const known = run.nodes[shownAt(id)] ?? FRESH;
  // An output that is reused still says "executed"; it stays marked as cached.
  if (known.state === "error" || (known.state === "cached" && state === "done")) return { ...run, finished };
  const ms = state === "done" && known.startedAt !== null ? (known.ms ?? now - known.startedAt) : null;
  return { ...update(run, id, { state, ms }), finished };
}

function advance(
  run: RunState,
  node: { node: string; display: string; value: number; max: number; state: string },
  now: number,
): RunState {
  if (node.state === "finished") return settle(run, node.node, "done", now);
  if (node.state !== "running") return run;
  const begun = begin(run, node.display, now);
  return node.max > 1 || node.value > 0 ? update(begun, node.display, { value: node.value, max: node.max }) : begun;
}

function show(run: RunState, display: string, output: NodeOutput | null): RunState {
  if (!output) return run;
  const shown = placeOf(run, display);
  const pictures = output.pictures.length > 0 ? { ...run.pictures, [shown]: output.pictures } : run.pictures;
  const texts = output.texts.length > 0 ? { ...run.texts, [shown]: output.texts } : run.texts;
  return { ...run, pictures, texts };
}

function fail(run: RunState, promptId: string, failure: Failure): RunState {
  if (!isOurs(run, promptId)) return run;
  const node = failure.node === "" ? null : placeOf(run, failure.node);
  const problem: Problem = {
    id: `failure-${failure.node}`,
    node,
    input: null,
    message: failure.message,
    details: failure.traceback,
  };
  const marked = node === null ? run : update(run, node, { state: "error" });
  return { ...marked, problems: [...run.problems.filter((known) => known.id !== problem.id), problem] };
}

function drop(run: RunState, promptId: string): RunState {
  if (!run.waiting.has(promptId)) return run;
  return { ...run, waiting: new Map([...run.waiting].filter(([id]) => id !== promptId)) };
}

function finish(run: RunState, promptId: string, outcome: Outcome, now: number): RunState {
  if (!run.waiting.has(promptId)) return run;
  const rest = drop(run, promptId);
  if (run.running !== promptId) return rest;
  const nodes = Object.fromEntries(
    Object.entries(run.nodes).flatMap(([id, node]): [string, NodeRun][] => {
      if (node.state === "running" && outcome === "success") {
        return [[id, { ...node, state: "done", ms: node.startedAt === null ? null : now - node.startedAt }]];
      }
      return node.state === "running" || node.state === "waiting" ? [] : [[id, node]];
    }),
  );
  const ms = run.startedAt === null || run.isJoined ? null : now - run.startedAt;
  return { ...rest, nodes, running: null, startedAt: null, last: { promptId, outcome, ms } };
}

/** The server knows nothing of a prompt: it was refused, or is gone with a server that keeps no jobs. */
export function forgotten(run: RunState, promptId: string, now: number): RunState {
  return finish(run, promptId, "interrupted", now);
}

/** Adds what the run of the last prompt made before it was joined. */
export function filledIn(run: RunState, promptId: string, result: Finished): RunState {
  if (run.last?.promptId !== promptId || run.running !== null) return run;
  return [...result.outputs].reduce((state, [node, output]) => show(state, node, output), run);
}

/** Catches up after a lost connection or a reload: the run ended while nobody listened. */
export function caughtUp(run: RunState, promptId: string, result: Finished, now: number): RunState {
  let state: RunState = run.running === promptId ? run : start(submitted(run, promptId, result.nodes), promptId, now);
  for (const [node, output] of result.outputs) state = show(settle(state, node, "done", now), node, output);
  if (result.failure) state = fail(state, promptId, result.failure);
  const outcome = result.isSuccess ? "success" : result.failure ? "error" : "interrupted";
  const ended = finish(state, promptId, outcome, now);
  return ended.last ? { ...ended, last: { ...ended.last, ms: null } } : ended;
}
