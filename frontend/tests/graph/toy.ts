/** A small vocabulary of nodes, and short ways to write documents in it. */
import { addNodes, type LinkEnds, newNode } from "../../src/graph/commands.ts";
import { type Definitions, parseObjectInfo } from "../../src/graph/definitions.ts";
import { EMPTY_DOCUMENT, nodeId, type NodeId, type WorkflowDocument } from "../../src/graph/document.ts";
import { change, startHistory } from "../../src/graph/history.ts";
import { type Json } from "../../src/graph/json.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";

const one = (required: Json, output: string[], extra: Json = {}): Json => ({
  input: { required },
  output,
  ...(extra as object),
});

export const TOYS: Definitions = parseObjectInfo({
  Load: one({ file: [["a.png", "b.png"], { image_upload: true }] }, ["IMAGE", "MASK"]),
  Noise: one(
    {
      seed: ["INT", { default: 0, min: 0, max: 2 ** 64 }],
      strength: ["FLOAT", { default: 1, min: 0, max: 2, step: 0.1 }],
    },
    ["IMAGE"],
  ),
  Blend: one({ a: ["IMAGE"], b: ["IMAGE"], amount: ["FLOAT", { default: 0.5 }], mode: [["add", "mix"], {}] }, [
    "IMAGE",
  ]),
  Encode: one({ image: ["IMAGE"], mask: ["MASK"] }, ["LATENT"]),
  Save: one({ images: ["IMAGE"], prefix: ["STRING", { default: "out" }] }, [], { output_node: true }),
});

export const id = (value: string | number): NodeId => nodeId(value);

/** `link("1.0 -> 2.image IMAGE")`. */
export function link(text: string): LinkEnds {
  const match = /^(\S+)\.(\d+) -> ([^.]+)\.(\S+) (\S+)$/.exec(text);
  if (!match) throw new Error(`“${text}” is no link.`);
  const [, source = "", output = "", target = "", input = "", type = ""] = match;
  return { source: id(source), output: Number(output), target: id(target), input, type };
}

/** A document from `{ 1: "Load", 2: "Save" }` and links as text. */
export function graph(types: { readonly [id: string]: string }, links: readonly string[] = []): WorkflowDocument {
  const nodes = Object.entries(types).map(([key, type], index) => newNode(id(key), type, [index * 300, 0], [200, 100]));
  return change(startHistory(EMPTY_DOCUMENT), addNodes(nodes, links.map(link))).document;
}

/** One node as a file has it. */
export function fileWith(node: { readonly [key: string]: Json }): WorkflowDocument {
  return readWorkflow({ version: 0.4, nodes: [{ id: 1, pos: [0, 0], size: [200, 100], ...node }], links: [] });
}

export function linksAsText(document: WorkflowDocument): string[] {
  return Object.values(document.links)
    .map(({ source, output, target, input, type }) => `${source}.${output} -> ${target}.${input} ${type}`)
    .toSorted();
}
