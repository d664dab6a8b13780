/**
 * A part of a prompt: some nodes and all that they need. A node that is no output gets one that shows what it makes;
 * its id begins with the node's own, so that the result appears on that node.
 */
import type { Definitions } from "./definitions.ts";
import type { NodeId } from "./document.ts";
import { isArray, type Json } from "./json.ts";
import type { Prompt, PromptNode } from "./write_prompt.ts";

/** The nodes that show a value, by the type that they take, the best first. */
const SHOWING = [
  { type: "IMAGE", shown: "PreviewImage", input: "images" },
  { type: "MASK", shown: "MaskPreview", input: "mask" },
  { type: "*", shown: "PreviewAny", input: "source" },
] as const;

export function partOf(prompt: Prompt, ids: Iterable<NodeId>, definitions: Definitions): Prompt {
  const shows: Record<string, PromptNode> = {};
  const wanted: string[] = [];
  for (const id of ids) {
    // A subgraph stands for the nodes in it.
    const own = Object.keys(prompt).filter((key) => key === id || key.startsWith(`${id}:`));
    wanted.push(...own);
    const only = own.length === 1 ? prompt[id] : undefined;
    const show = only && showingOf(id, only, definitions);
    if (show) shows[`${id}:shown`] = show;
  }
  const needed = withAncestors(prompt, wanted);
  const part = Object.fromEntries(Object.entries(prompt).filter(([id]) => needed.has(id)));
  return { ...part, ...shows };
}

function showingOf(id: NodeId, { class_type }: PromptNode, definitions: Definitions): PromptNode | null {
  const definition = definitions.get(class_type);
  if (!definition || definition.isOutput || definition.outputs.length === 0) return null;
  for (const { type, shown, input } of SHOWING) {
    const index = type === "*" ? 0 : definition.outputs.findIndex((output) => output.type === type);
    if (index >= 0 && definitions.has(shown)) {
      return { class_type: shown, inputs: { [input]: [id, index] }, _meta: { title: "Shown" } };
    }
  }
  return null;
}

function withAncestors(prompt: Prompt, ids: readonly string[]): ReadonlySet<string> {
  const found = new Set(ids);
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    for (const value of Object.values(prompt[id]?.inputs ?? {})) {
      const source = sourceOf(value);
      if (source === null || found.has(source) || !(source in prompt)) continue;
      found.add(source);
      open.push(source);
    }
  }
  return found;
}

/** The node that a link leads to; null for a value. */
function sourceOf(value: Json): string | null {
  return isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number"
    ? value[0]
    : null;
}
