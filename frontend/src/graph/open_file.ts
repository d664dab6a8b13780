/** A file of any kind that can carry a graph -> document. What cannot be opened is refused with one sentence. */
import { isParameters, readParameters } from "./a1111.ts";
import { isMatroska, readMatroskaTexts } from "./carriers/matroska.ts";
import { isMp4, readMp4Texts } from "./carriers/mp4.ts";
import { isPng, readPngTexts } from "./carriers/png.ts";
import { readSafetensorsTexts, safetensorsHead } from "./carriers/safetensors.ts";
import { isWebp, readWebpTexts } from "./carriers/webp.ts";
import type { WorkflowDocument } from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { isObject, type Json, parseJson } from "./json.ts";
import { isPrompt, readPrompt } from "./read_prompt.ts";
import { isWorkflow, readWorkflow } from "./read_workflow.ts";

export type Opened =
  | {
      readonly ok: true;
      readonly document: WorkflowDocument;
      /** A prompt has no positions. */
      readonly needsLayout: boolean;
      /** What the file says that no node stands for, as one sentence; null when there is nothing. */
      readonly notice: string | null;
    }
  | { readonly ok: false; readonly message: string };

interface Carrier {
  readonly what: string;
  readonly isOne: (bytes: Uint8Array) => boolean;
  readonly texts: (bytes: Uint8Array) => Map<string, string> | Promise<Map<string, string>>;
}

const CARRIERS: readonly Carrier[] = [
  { what: "a picture", isOne: isPng, texts: readPngTexts },
  { what: "a picture", isOne: isWebp, texts: readWebpTexts },
  { what: "a film", isOne: isMp4, texts: readMp4Texts },
  { what: "a film", isOne: isMatroska, texts: readMatroskaTexts },
  { what: "a safetensors file", isOne: (bytes) => safetensorsHead(bytes) !== null, texts: readSafetensorsTexts },
];

/** Under which a text may stand, the best first. Films of some programs have all of it in one comment. */
const KEYS = ["workflow", "prompt", "comment", "parameters", "description"];

/** How much of a file is needed to open it; null for all of it. `start` is its first bytes. */
export function neededBytes(start: Uint8Array): number | null {
  return CARRIERS.slice(0, -1).some((carrier) => carrier.isOne(start)) ? null : safetensorsHead(start);
}

export async function openFile(name: string, bytes: Uint8Array, definitions: Definitions): Promise<Opened> {
  const carrier = CARRIERS.find(({ isOne }) => isOne(bytes));
  if (carrier) return openCarrier(name, carrier.what, await carrier.texts(bytes), definitions);
  if (looksBinary(bytes)) {
    return refuse(
      `“${name}” is no kind of file that carries a workflow; those are JSON, PNG, WebP, MP4, WebM, safetensors, and A1111's text.`,
    );
  }
  return openText(name, new TextDecoder().decode(bytes), definitions);
}

export function openText(name: string, text: string, definitions: Definitions): Opened {
  if (text.trim() === "") return refuse(`“${name}” is empty.`);
  let raw: Json;
  try {
    raw = parseJson(text);
  } catch (error) {
    if (isParameters(text)) return openParameters(text, definitions);
    return refuse(`“${name}” is not valid JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  return openJson(name, raw, definitions);
}

export function openJson(name: string, raw: Json, definitions: Definitions): Opened {
  if (isWorkflow(raw)) return { ok: true, document: readWorkflow(raw), needsLayout: false, notice: null };
  if (isPrompt(raw)) return { ok: true, document: readPrompt(raw, definitions), needsLayout: true, notice: null };
  // Some tools wrap one or the other, some of them as text.
  if (isObject(raw)) {
    for (const key of ["workflow", "prompt"]) {
      const inner = parsed(raw[key]);
      if (inner !== undefined && (isWorkflow(inner) || isPrompt(inner))) return openJson(name, inner, definitions);
    }
  }
  return refuse(
    `“${name}” is JSON but no workflow: it has neither a list of nodes nor prompt nodes with a class_type.`,
  );
}

function parsed(value: Json | undefined): Json | undefined {
  if (typeof value !== "string") return value;
  try {
    return parseJson(value);
  } catch {
    return undefined;
  }
}

function openParameters(text: string, definitions: Definitions): Opened {
  const { prompt, unused } = readParameters(text, definitions);
  const notice = unused.length === 0 ? null : `No node stands for these settings of the picture: ${unused.join(", ")}.`;
  return { ok: true, document: readPrompt(prompt, definitions), needsLayout: true, notice };
}

function openCarrier(name: string, what: string, texts: ReadonlyMap<string, string>, definitions: Definitions): Opened {
  let failure = "";
  for (const key of KEYS) {
    const text = texts.get(key);
    if (text === undefined) continue;
    const opened = openText(`the ${key} in ${name}`, text, definitions);
    if (opened.ok) return opened;
    if (key === "workflow" || key === "prompt") failure ||= opened.message;
  }
  return refuse(failure || `“${name}” is ${what} that carries no workflow.`);
}

function looksBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 1024).includes(0);
}

function refuse(message: string): Opened {
  return { ok: false, message };
}
