/** The server's HTTP routes that the editor uses. Answers are parsed here; failures are sentences for a person. */
import {
  asNumber,
  asString,
  isArray,
  isObject,
  type Json,
  type JsonObject,
  parseJson,
  writeJson,
} from "../graph/json.ts";
import { type Definitions, parseObjectInfo } from "../graph/definitions.ts";
import type { Prompt } from "../graph/write_prompt.ts";
import { type Job, type PackProblem, parseJobs, parsePackProblems } from "./jobs.ts";
import { type Failure, type NodeOutput, parseFailure, parseOutput, type Picture } from "./messages.ts";

/** The server takes prompts from pages only with this type, which no page of another origin can send unasked. */
const JSON_BODY = { "Content-Type": "application/json" };

const MOST_JOBS = 60;

export class ServerError extends Error {}

export interface InputProblem {
  readonly node: string;
  readonly input: string | null;
  readonly message: string;
}

export interface Submission {
  /** Null when the server refused the whole prompt. */
  readonly promptId: string | null;
  readonly problems: readonly InputProblem[];
  /** What is wrong with the prompt as a whole; null if that says no more than the problems. */
  readonly message: string | null;
}

export type QueuePlace = { readonly to: "front" | "back" } | { readonly before: string } | { readonly after: string };

export interface Finished {
  readonly outputs: ReadonlyMap<string, NodeOutput>;
  readonly isSuccess: boolean;
  readonly failure: Failure | null;
  readonly nodes: readonly string[];
}

export interface StoredFile {
  readonly path: string;
  readonly modified: number;
}

const storedRoute = (path: string): string => `userdata/${encodeURIComponent(`workflows/${path}`)}`;

export class ServerApi {
  private readonly root: string;
  readonly clientId: string;

  /** `page` is the address that the editor was loaded from. */
  constructor(page: string, clientId: string) {
    this.root = new URL("api/", page).href;
    this.clientId = clientId;
  }

  get socketUrl(): string {
    const url = new URL("../ws", this.root);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("clientId", this.clientId);
    return url.href;
  }

  pictureUrl({ filename, subfolder, type }: Picture, version = ""): string {
    const query = new URLSearchParams({ filename, subfolder, type, ...(version ? { v: version } : {}) });
    return `${this.root}view?${query}`;
  }

  async definitions(): Promise<Definitions> {
    return parseObjectInfo(await this.json("object_info"));
  }

  /** The prompt's id is chosen here, so that no message about it can come before it is known. */
  async submit(promptId: string, prompt: Prompt, workflow: JsonObject, front: boolean): Promise<Submission> {
    const body = {
      client_id: this.clientId,
      prompt_id: promptId,
      prompt,
      extra_data: { extra_pnginfo: { workflow } },
      ...(front ? { front: true } : {}),
    };
    const response = await this.post("prompt", body, [400]);
    return parseSubmission(parseJson(await response.text()));
  }

  /** Whatever runs, or this prompt only. */
  async interrupt(promptId?: string): Promise<void> {
    await this.post("interrupt", promptId === undefined ? {} : { prompt_id: promptId });
  }

  /** What runs, what waits, and the latest of what has ended; and whether what waits is held back. */
  async jobs(): Promise<{ jobs: Job[]; isPaused: boolean }> {
    const [queue, history] = await Promise.all([this.json("queue"), this.json(`history?max_items=${MOST_JOBS}`)]);
    return { jobs: parseJobs(queue, history), isPaused: isObject(queue) && queue["queue_paused"] === true };
  }

  /** Holds back what waits, or lets it go on. What runs goes on. */
  async pauseQueue(pause: boolean): Promise<void> {
    await this.post("queue", { pause });
  }

  /** Gives a waiting prompt another place: before or after another one, or at an end. */
  async moveInQueue(promptId: string, place: QueuePlace): Promise<void> {
    await this.post("queue", { move: { prompt_id: promptId, ...place } });
  }

  /** Takes waiting prompts out of the queue. */
  async dequeue(promptIds: readonly string[]): Promise<void> {
    await this.post("queue", { delete: promptIds });
  }

  /** Takes prompts out of the history; their pictures stay. */
  async forget(promptIds: readonly string[]): Promise<void> {
    await this.post("history", { delete: promptIds });
  }

  /** The node packs that could not be loaded. */
  async packProblems(): Promise<PackProblem[]> {
    return parsePackProblems(await this.json("packs"));
  }

  /** Runs what a job ran, with what was sent beside it. */
  async submitAgain(promptId: string, { prompt, extra }: Pick<Job, "prompt" | "extra">): Promise<Submission> {
    const { client_id: _, create_time: __, ...extra_data } = extra;
    const body = { client_id: this.clientId, prompt_id: promptId, prompt, extra_data };
    const response = await this.post("prompt", body, [400]);
    return parseSubmission(parseJson(await response.text()));
  }

  /** Ids of the prompts that run or wait. */
  async queue(): Promise<ReadonlySet<string>> {
    const raw = await this.json("queue");
    const items = isObject(raw)
      ? ["queue_running", "queue_pending"].flatMap((key) => (isArray(raw[key]) ? raw[key] : []))
      : [];
    return new Set(items.flatMap((item) => (isArray(item) && typeof item[1] === "string" ? [item[1]] : [])));
  }

  /** Null while the prompt has not finished, or when it is unknown. */
  async finished(promptId: string): Promise<Finished | null> {
    const raw = await this.json(`history/${encodeURIComponent(promptId)}`);
    const entry = isObject(raw) ? raw[promptId] : null;
    return isObject(entry) ? parseFinished(entry) : null;
  }

  /** Uploads into the input folder; answers the name under which nodes find it. */
  async uploadImage(file: File): Promise<string> {
    const form = new FormData();
    form.append("image", file, file.name);
    const response = await this.request("upload/image", { method: "POST", body: form });
    const answer: unknown = await response.json();
    const name = isObject(answer) ? asString(answer["name"]) : null;
    if (name === null || !isObject(answer))
      throw new ServerError(`The server took “${file.name}” but did not say where.`);
    const subfolder = asString(answer["subfolder"]) ?? "";
    return subfolder === "" ? name : `${subfolder}/${name}`;
  }

  async listWorkflows(): Promise<StoredFile[]> {
    const response = await this.request("userdata?dir=workflows&recurse=true&full_info=true", {}, [404]);
    if (response.status === 404) return [];
    const raw: unknown = await response.json();
    if (!isArray(raw)) return [];
    return raw.flatMap((item) => {
      const path = isObject(item) ? asString(item["path"]) : null;
      return path?.endsWith(".json") && isObject(item) ? [{ path, modified: asNumber(item["modified"]) ?? 0 }] : [];
    });
  }

  async readStored(path: string): Promise<{ text: string; version: string | null }> {
    const response = await this.request(storedRoute(path));
    return { text: await response.text(), version: response.headers.get("ETag") };
  }

  /**
   * Stores a workflow. “taken”: there is a file of this name, and `overwrite` is false. “changed”: the file is not, or
   * no longer, the `version` that is to be replaced.
   */
  async writeStored(
    path: string,
    text: string,
    { overwrite = true, version }: { readonly overwrite?: boolean; readonly version?: string },
  ): Promise<{ version: string | null } | "taken" | "changed"> {
    const headers: Record<string, string> = version === undefined ? {} : { "If-Match": version };
    const route = `${storedRoute(path)}?overwrite=${overwrite}`;
    const response = await this.request(route, { method: "POST", body: text, headers }, [409, 412]);
    if (response.ok) return { version: response.headers.get("ETag") };
    return response.status === 409 ? "taken" : "changed";
  }

  /** False when the new name is taken. */
  async moveStored(path: string, target: string): Promise<boolean> {
    const to = encodeURIComponent(`workflows/${target}`);
    const response = await this.request(`${storedRoute(path)}/move/${to}?overwrite=false`, { method: "POST" }, [409]);
    return response.ok;
  }

  async deleteStored(path: string): Promise<void> {
    await this.request(storedRoute(path), { method: "DELETE" });
  }

  private post(route: string, body: unknown, accepted: readonly number[] = []): Promise<Response> {
    return this.request(route, { method: "POST", headers: JSON_BODY, body: writeJson(body) }, accepted);
  }

  private async json(route: string): Promise<Json> {
    return parseJson(await (await this.request(route)).text());
  }

  private async request(route: string, init: RequestInit = {}, accepted: readonly number[] = []): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(this.root + route, init);
    } catch {
      throw new ServerError("The server does not answer. Is it still running?");
    }
    if (response.ok || accepted.includes(response.status)) return response;
    const text = (await response.text()).trim().slice(0, 300);
    throw new ServerError(`The server refused ${route.split("?")[0]} (${response.status})${text ? `: ${text}` : "."}`);
  }
}

export function parseSubmission(raw: Json): Submission {
  if (!isObject(raw)) return { promptId: null, problems: [], message: "The server's answer to the run made no sense." };
  const problems = parseNodeErrors(raw["node_errors"]);
  const error = raw["error"];
  const promptId = asString(raw["prompt_id"]);
  if (error === undefined) return { promptId, problems, message: null };
  if (!isObject(error)) return { promptId: null, problems, message: String(error) };
  const info = isObject(error["extra_info"]) ? error["extra_info"] : {};
  const message = [asString(error["message"]), asString(error["details"])].filter(Boolean).join(": ");
  const node = asString(info["node_id"]);
  if (node !== null && problems.length === 0)
    return { promptId: null, problems: [{ node, input: null, message }], message: null };
  return {
    promptId: null,
    problems,
    message: problems.length > 0 ? null : message || "The server refused the prompt.",
  };
}

function parseNodeErrors(raw: Json | undefined): InputProblem[] {
  if (!isObject(raw)) return [];
  return Object.entries(raw).flatMap(([node, report]) => {
    const errors = isObject(report) && isArray(report["errors"]) ? report["errors"].filter(isObject) : [];
    return errors.map((error): InputProblem => {
      const info = isObject(error["extra_info"]) ? error["extra_info"] : {};
      const input = asString(info["input_name"]);
      const message = asString(error["message"]) ?? "This node is not valid";
      const details = asString(error["details"]) ?? "";
      return {
        node,
        input,
        message: details === "" || details === message || details === input ? message : `${message}: ${details}`,
      };
    });
  });
}

function parseFinished(entry: JsonObject): Finished {
  const outputs = isObject(entry["outputs"]) ? entry["outputs"] : {};
  const status = isObject(entry["status"]) ? entry["status"] : {};
  const messages = isArray(status["messages"]) ? status["messages"] : [];
  const error = messages.find((message) => isArray(message) && message[0] === "execution_error");
  const failure = isArray(error) && isObject(error[1]) ? parseFailure(error[1]) : null;
  const prompt = isArray(entry["prompt"]) && isObject(entry["prompt"][2]) ? entry["prompt"][2] : {};
  return {
    outputs: new Map(
      Object.entries(outputs).flatMap(([node, raw]) => {
        const output = parseOutput(raw);
        return output ? [[node, output] as const] : [];
      }),
    ),
    isSuccess: status["status_str"] === "success",
    failure,
    nodes: Object.keys(prompt),
  };
}
