/** Jobs as /queue and /history tell of them. Parsed here; nothing is asked here. */
import { asNumber, asString, isArray, isObject, type Json, type JsonObject } from "../graph/json.ts";
import { type NodeOutput, parseFailure, parseOutput, type Picture } from "./messages.ts";

export type JobState = "running" | "pending" | "success" | "error" | "interrupted";

export interface Job {
  readonly id: string;
  readonly number: number;
  readonly state: JobState;
  readonly prompt: JsonObject;
  /** What was sent beside the prompt; sent again when the job is run again. */
  readonly extra: JsonObject;
  /** The workflow that it was made from, if it was sent along. */
  readonly workflow: JsonObject | null;
  readonly outputs: ReadonlyMap<string, NodeOutput>;
  readonly ms: number | null;
  readonly failure: string | null;
}

export interface PackProblem {
  readonly name: string;
  readonly error: string;
  readonly traceback: string;
}

/** What runs, then what waits in its order, then what has ended, the latest first. */
export function parseJobs(queue: Json, history: Json): Job[] {
  const items = (key: string): Job[] =>
    isObject(queue) && isArray(queue[key])
      ? queue[key].flatMap((item) => parseItem(item, key === "queue_running" ? "running" : "pending") ?? [])
      : [];
  const ended = isObject(history) ? Object.values(history).flatMap((entry) => parseEntry(entry) ?? []) : [];
  const pending = items("queue_pending").toSorted((a, b) => a.number - b.number);
  const alive = [...items("queue_running"), ...pending];
  const known = new Set(alive.map((job) => job.id));
  return [...alive, ...ended.filter((job) => !known.has(job.id)).toReversed()];
}

function parseItem(raw: Json | undefined, state: JobState): Job | null {
  if (!isArray(raw)) return null;
  const [number, id, prompt, extra] = raw;
  if (typeof id !== "string" || !isObject(prompt)) return null;
  const sent = isObject(extra) ? extra : {};
  const info = isObject(sent["extra_pnginfo"]) ? sent["extra_pnginfo"] : {};
  return {
    id,
    number: asNumber(number) ?? 0,
    state,
    prompt,
    extra: sent,
    workflow: isObject(info["workflow"]) ? info["workflow"] : null,
    outputs: new Map(),
    ms: null,
    failure: null,
  };
}

function parseEntry(raw: Json | undefined): Job | null {
  if (!isObject(raw)) return null;
  const status = isObject(raw["status"]) ? raw["status"] : {};
  const messages = isArray(status["messages"]) ? status["messages"].filter(isArray) : [];
  const named = (name: string): JsonObject | null => {
    const message = messages.find(([event]) => event === name);
    return message && isObject(message[1]) ? message[1] : null;
  };
  const isSuccess = status["status_str"] === "success";
  const job = parseItem(
    raw["prompt"],
    isSuccess ? "success" : named("execution_interrupted") ? "interrupted" : "error",
  );
  if (!job) return null;
  const outputs = isObject(raw["outputs"]) ? raw["outputs"] : {};
  const failure = named("execution_error");
  const start = asNumber(named("execution_start")?.["timestamp"]);
  const last = messages.at(-1)?.[1];
  const end = isObject(last) ? asNumber(last["timestamp"]) : null;
  return {
    ...job,
    outputs: new Map(
      Object.entries(outputs).flatMap(([node, output]) => {
        const parsed = parseOutput(output);
        return parsed ? [[node, parsed] as const] : [];
      }),
    ),
    ms: start !== null && end !== null && end > start ? end - start : null,
    failure: failure ? parseFailure(failure).message : null,
  };
}

/** A job's pictures, those that were saved first. */
export function picturesOf(job: Job): Picture[] {
  const all = [...job.outputs.values()].flatMap((output) => output.pictures);
  return all.toSorted((a, b) => Number(b.type === "output") - Number(a.type === "output"));
}

export interface Difference {
  readonly title: string;
  readonly input: string;
  readonly value: Json;
}

/** The values that are not those of the job before. Links, and nodes that only one of them has, do not count. */
export function differences(job: Pick<Job, "prompt">, before: Pick<Job, "prompt"> | undefined): Difference[] {
  if (!before) return [];
  return Object.entries(job.prompt).flatMap(([id, node]) => {
    const other = before.prompt[id];
    const [own, old] = [inputsOf(node), inputsOf(other)];
    if (!isObject(node) || !isObject(other) || !own || !old) return [];
    const meta = isObject(node["_meta"]) ? asString(node["_meta"]["title"]) : null;
    const title = meta ?? asString(node["class_type"]) ?? id;
    return Object.entries(own).flatMap(([input, value]): Difference[] =>
      value === undefined || isArray(value) || isObject(value) || value === old[input] ? [] : [{ title, input, value }],
    );
  });
}

function inputsOf(node: Json | undefined): JsonObject | null {
  return isObject(node) && isObject(node["inputs"]) ? node["inputs"] : null;
}

/** The packs that could not be loaded. */
export function parsePackProblems(raw: Json): PackProblem[] {
  if (!isArray(raw)) return [];
  return raw.filter(isObject).flatMap((pack): PackProblem[] => {
    const error = asString(pack["error"]);
    const lines = isArray(pack["traceback"]) ? pack["traceback"].filter((line) => typeof line === "string") : [];
    return error === null ? [] : [{ name: asString(pack["name"]) ?? "?", error, traceback: lines.join("\n") }];
  });
}
