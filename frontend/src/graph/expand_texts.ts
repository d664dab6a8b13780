/**
 * What is replaced in texts before they are sent: `{a|b}` alternatives, and `%...%` in names of saved files. The rules
 * are those of executor/workflow/texts.py, which does the same for workflows that are run without the editor.
 */
import type { WorkflowDocument } from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { asString, isObject, type Json } from "./json.ts";
import type { Prompt, PromptNode } from "./write_prompt.ts";

const INNERMOST = /(?<!\\)\{((?:[^{}\\]|\\.)*)(?<!\\)\}/su;
const BARS = /(?<!\\)\|/u;
const ESCAPED = /\\([{}|])/gu;
const QUOTED = /%([^%]+)%/gu;
const DATE_PART = /yyyy|yy|MM|M|dd|d|hh|h|mm|m|ss|s/gu;
// eslint-disable-next-line no-control-regex -- these are what no file name may have
const ILLEGAL = /[/?<>\\:*|"\u0000-\u001F\u007F]/gu;

/** The prompt with its texts as they are to be run. `random` is in [0, 1). */
export function expandTexts(
  prompt: Prompt,
  { document, definitions }: { readonly document: WorkflowDocument; readonly definitions: Definitions },
  random: () => number,
  now: Date,
): Prompt {
  const valueOf = (name: string, input: string): Json | undefined => named(prompt, document, name)?.inputs[input];
  const entries = Object.entries(prompt).map(([id, node]): [string, PromptNode] => {
    const definition = definitions.get(node.class_type);
    const inputs: Record<string, Json> = { ...node.inputs };
    for (const input of definition?.inputs ?? []) {
      const value = inputs[input.name];
      if (typeof value !== "string") continue;
      if (input.options["dynamicPrompts"] === true) inputs[input.name] = chooseAlternatives(value, random);
      if (input.name === "filename_prefix" && definition?.isOutput) {
        inputs[input.name] = fillPrefix(value, valueOf, now);
      }
    }
    return [id, { ...node, inputs }];
  });
  return Object.fromEntries(entries);
}

/** One alternative of each `{a|b|c}`, nested ones included. `\{`, `\}`, `\|` stand for themselves. */
export function chooseAlternatives(text: string, random: () => number): string {
  let rest = text;
  for (let group = INNERMOST.exec(rest); group; group = INNERMOST.exec(rest)) {
    const choices = (group[1] ?? "").split(BARS);
    const chosen = choices[Math.floor(random() * choices.length)] ?? "";
    rest = rest.slice(0, group.index) + chosen + rest.slice(group.index + group[0].length);
  }
  return rest.replace(ESCAPED, "$1");
}

/** `%date:yyyy-MM-dd%` and `%Node.input%` filled in; other names are left to the node that saves. */
export function fillPrefix(
  prefix: string,
  valueOf: (node: string, input: string) => Json | undefined,
  now: Date,
): string {
  return prefix.replace(QUOTED, (quoted: string, name: string) => {
    if (name.startsWith("date:")) return name.slice(5).replace(DATE_PART, (part) => datePart(part, now));
    const dot = name.lastIndexOf(".");
    const value = dot < 0 ? undefined : valueOf(name.slice(0, dot), name.slice(dot + 1));
    return value === undefined ? quoted : String(value).replace(ILLEGAL, "_");
  });
}

function datePart(part: string, now: Date): string {
  const values: { readonly [letter: string]: number } = {
    y: part === "yy" ? now.getFullYear() % 100 : now.getFullYear(),
    M: now.getMonth() + 1,
    d: now.getDate(),
    h: now.getHours(),
    m: now.getMinutes(),
    s: now.getSeconds(),
  };
  return String(values[part.charAt(0)] ?? 0).padStart(part.length, "0");
}

/** The node that a prefix names: by the name that its file gives it for this, else by its title. */
function named(prompt: Prompt, document: WorkflowDocument, name: string): PromptNode | undefined {
  const entries = Object.entries(prompt);
  const nameOf = (id: string): string | null => {
    const node = Object.values(document.nodes).find((candidate) => candidate.id === id);
    const properties = node?.saved?.["properties"];
    return isObject(properties) ? asString(properties["Node name for S&R"]) : null;
  };
  const found =
    entries.find(([id, node]) => (nameOf(id) ?? node.class_type) === name) ??
    entries.find(([, node]) => node._meta["title"] === name);
  return found?.[1];
}
