/** A file of any kind that can carry a graph -> document. What cannot be opened is refused with one sentence. */
import type { WorkflowDocument } from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { isObject, type Json, parseJson } from "./json.ts";
import { isPng, readPngTexts } from "./png.ts";
import { isPrompt, readPrompt } from "./read_prompt.ts";
import { isWorkflow, readWorkflow } from "./read_workflow.ts";

export type Opened =
  | {
      readonly ok: true;
      readonly document: WorkflowDocument;
      /** A prompt has no positions. */ readonly needsLayout: boolean;
    }
  | { readonly ok: false; readonly message: string };

export async function openFile(name: string, bytes: Uint8Array, definitions: Definitions): Promise<Opened> {
  if (isPng(bytes)) return openPng(name, bytes, definitions);
  if (looksBinary(bytes)) {
    return refuse(
      `“${name}” is neither JSON nor a PNG picture; open a workflow (.json) or a picture that carries one.`,
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
    return refuse(`“${name}” is not valid JSON: ${error instanceof Error ? error.message : String(error)}.`);
  }
  return openJson(name, raw, definitions);
}

export function openJson(name: string, raw: Json, definitions: Definitions): Opened {
  if (isWorkflow(raw)) return { ok: true, document: readWorkflow(raw), needsLayout: false };
  if (isPrompt(raw)) return { ok: true, document: readPrompt(raw, definitions), needsLayout: true };
  // Some tools wrap one or the other.
  if (isObject(raw)) {
    for (const key of ["workflow", "prompt"]) {
      const inner = raw[key];
      if (inner !== undefined && (isWorkflow(inner) || isPrompt(inner))) return openJson(name, inner, definitions);
    }
  }
  return refuse(
    `“${name}” is JSON but no workflow: it has neither a list of nodes nor prompt nodes with a class_type.`,
  );
}

async function openPng(name: string, bytes: Uint8Array, definitions: Definitions): Promise<Opened> {
  const texts = await readPngTexts(bytes);
  let failure = "";
  for (const key of ["workflow", "prompt"]) {
    const text = texts.get(key);
    if (text === undefined) continue;
    const opened = openText(`the ${key} in ${name}`, text, definitions);
    if (opened.ok) return opened;
    failure = opened.message;
  }
  return refuse(failure || `“${name}” is a picture that carries no workflow.`);
}

function looksBinary(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 1024).includes(0);
}

function refuse(message: string): Opened {
  return { ok: false, message };
}
