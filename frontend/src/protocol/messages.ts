/**
 * What the server says over the WebSocket, parsed at the door. Inside the editor there are only these types; a message
 * of an unknown type or a wrong shape becomes `null` and is passed over.
 */
import { asNumber, asString, isArray, isObject, type Json, type JsonObject } from "../graph/json.ts";

export interface Picture {
  readonly filename: string;
  readonly subfolder: string;
  readonly type: string;
  /** Of two that a node compares, which it is. */
  readonly side?: "a" | "b";
}

/** What a node shows when it has run. */
export interface NodeOutput {
  readonly pictures: readonly Picture[];
  readonly texts: readonly string[];
}

export interface NodeProgress {
  readonly node: string;
  readonly display: string;
  readonly value: number;
  readonly max: number;
  readonly state: "pending" | "running" | "finished" | "error";
}

export type ServerMessage =
  | { readonly type: "status"; readonly queueRemaining: number; readonly sid: string | null }
  | { readonly type: "feature_flags" }
  | { readonly type: "execution_start"; readonly promptId: string }
  | { readonly type: "execution_cached"; readonly promptId: string; readonly nodes: readonly string[] }
  | {
      readonly type: "executing";
      readonly promptId: string | null;
      readonly node: string | null;
      readonly display: string | null;
    }
  | {
      readonly type: "progress";
      readonly promptId: string | null;
      readonly node: string | null;
      readonly value: number;
      readonly max: number;
    }
  | { readonly type: "progress_state"; readonly promptId: string; readonly nodes: readonly NodeProgress[] }
  | {
      readonly type: "executed";
      readonly promptId: string;
      readonly node: string;
      readonly display: string;
      readonly output: NodeOutput | null;
    }
  | { readonly type: "execution_success"; readonly promptId: string }
  | { readonly type: "execution_error"; readonly promptId: string; readonly failure: Failure }
  | { readonly type: "execution_interrupted"; readonly promptId: string };

export interface Failure {
  readonly node: string;
  readonly classType: string;
  readonly exception: string;
  readonly message: string;
  readonly traceback: string;
}

export type BinaryMessage =
  | { readonly type: "preview"; readonly promptId: string | null; readonly node: string | null; readonly image: Blob }
  | { readonly type: "text"; readonly node: string; readonly text: string };

export function parseMessage(text: string): ServerMessage | null {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(raw)) return null;
  const type = asString(raw["type"]);
  return type === null ? null : parseData(type, isObject(raw["data"]) ? raw["data"] : {});
}

function parseData(type: string, data: JsonObject): ServerMessage | null {
  const promptId = asString(data["prompt_id"]);
  const node = idOf(data["node"]);
  switch (type) {
    case "status": {
      const status = isObject(data["status"]) ? data["status"] : {};
      const info = isObject(status["exec_info"]) ? status["exec_info"] : {};
      return { type, queueRemaining: asNumber(info["queue_remaining"]) ?? 0, sid: asString(data["sid"]) };
    }
    case "feature_flags":
      return { type };
    case "execution_start":
    case "execution_success":
    case "execution_interrupted":
      return promptId === null ? null : { type, promptId };
    case "execution_cached":
      return promptId === null ? null : { type, promptId, nodes: strings(data["nodes"]) };
    case "executing":
      return { type, promptId, node, display: idOf(data["display_node"]) ?? node };
    case "progress":
      return { type, promptId, node, value: asNumber(data["value"]) ?? 0, max: asNumber(data["max"]) ?? 1 };
    case "progress_state":
      return promptId === null ? null : { type, promptId, nodes: parseProgress(data["nodes"]) };
    case "executed":
      if (promptId === null || node === null) return null;
      return { type, promptId, node, display: idOf(data["display_node"]) ?? node, output: parseOutput(data["output"]) };
    case "execution_error":
      return promptId === null ? null : { type, promptId, failure: parseFailure(data) };
    default:
      return null;
  }
}

export function parseFailure(data: JsonObject): Failure {
  return {
    node: idOf(data["node_id"]) ?? "",
    classType: asString(data["node_type"]) ?? "",
    exception: asString(data["exception_type"]) ?? "",
    message: (asString(data["exception_message"]) ?? "The node failed without a message.").trim(),
    traceback: strings(data["traceback"]).join(""),
  };
}

export function parseOutput(raw: Json | undefined): NodeOutput | null {
  if (!isObject(raw)) return null;
  const under = (key: string): Picture[] => (isArray(raw[key]) ? raw[key] : []).flatMap(parsePicture);
  const sides = (["a", "b"] as const).flatMap((side) =>
    under(`${side}_images`).map((picture) => ({ ...picture, side })),
  );
  return { pictures: [...["images", "gifs"].flatMap(under), ...sides], texts: strings(raw["text"]) };
}

function parsePicture(raw: Json): Picture[] {
  const filename = isObject(raw) ? asString(raw["filename"]) : null;
  if (filename === null || !isObject(raw)) return [];
  return [{ filename, subfolder: asString(raw["subfolder"]) ?? "", type: asString(raw["type"]) ?? "output" }];
}

function parseProgress(raw: Json | undefined): NodeProgress[] {
  if (!isObject(raw)) return [];
  return Object.entries(raw).flatMap(([node, entry]) => {
    if (!isObject(entry)) return [];
    const state = entry["state"];
    if (state !== "pending" && state !== "running" && state !== "finished" && state !== "error") return [];
    const display = idOf(entry["display_node_id"]) ?? node;
    return [{ node, display, state, value: asNumber(entry["value"]) ?? 0, max: asNumber(entry["max"]) ?? 1 }];
  });
}

function idOf(raw: Json | undefined): string | null {
  return typeof raw === "number" ? String(raw) : asString(raw);
}

function strings(raw: Json | undefined): string[] {
  return isArray(raw) ? raw.filter((item) => typeof item === "string") : [];
}

/** Binary frames begin with a big-endian event id: 1 preview, 3 text, 4 preview with metadata. */
export function parseBinary(frame: ArrayBuffer): BinaryMessage | null {
  if (frame.byteLength < 8) return null;
  const view = new DataView(frame);
  switch (view.getUint32(0)) {
    case 1:
      return {
        type: "preview",
        promptId: null,
        node: null,
        image: imageOf(frame, 8, view.getUint32(4) === 2 ? "image/png" : "image/jpeg"),
      };
    case 3: {
      const length = view.getUint32(4);
      if (8 + length > frame.byteLength) return null;
      const decode = new TextDecoder();
      return {
        type: "text",
        node: decode.decode(frame.slice(8, 8 + length)),
        text: decode.decode(frame.slice(8 + length)),
      };
    }
    case 4:
      return parsePreview(frame, view.getUint32(4));
    default:
      return null;
  }
}

function parsePreview(frame: ArrayBuffer, length: number): BinaryMessage | null {
  if (8 + length > frame.byteLength) return null;
  let about: unknown;
  try {
    about = JSON.parse(new TextDecoder().decode(frame.slice(8, 8 + length)));
  } catch {
    return null;
  }
  if (!isObject(about)) return null;
  return {
    type: "preview",
    promptId: asString(about["prompt_id"]),
    node: idOf(about["display_node_id"]) ?? idOf(about["node_id"]),
    image: imageOf(frame, 8 + length, asString(about["image_type"]) ?? "image/jpeg"),
  };
}

function imageOf(frame: ArrayBuffer, offset: number, type: string): Blob {
  return new Blob([frame.slice(offset)], { type });
}
