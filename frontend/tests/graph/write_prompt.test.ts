import { describe, expect, test } from "vitest";
import { isObject, type Json } from "../../src/graph/json.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { writePrompt } from "../../src/graph/write_prompt.ts";
import { sampleDefinitions, samples } from "./samples.ts";

const definitions = sampleDefinitions();

type Nodes = Record<string, { inputs: Record<string, Json> }>;
const edited = (prompt: Json, edit: (nodes: Nodes) => void): Json => {
  const copy = structuredClone(prompt) as unknown as Nodes;
  edit(copy);
  return copy as unknown as Json;
};

/** Where the recorded prompt shows a defect of the peer, what is right instead. */
const KNOWN: { readonly [name: string]: (prompt: Json) => Json } = {
  // The peer restores by position although the file names the values, and shifts them all.
  "3d_hunyuan3d-v2.1": (prompt) =>
    edited(prompt, (nodes) => {
      delete nodes["10"]?.inputs["image"];
      Object.assign(nodes["19:1"]?.inputs ?? {}, { ckpt_name: "hunyuan_3d_v2.1.safetensors" });
      Object.assign(nodes["19:4"]?.inputs ?? {}, { resolution: 4096 });
      Object.assign(nodes["19:7"]?.inputs ?? {}, { steps: 30, cfg: 5, sampler_name: "euler", scheduler: "normal" });
      Object.assign(nodes["19:9"]?.inputs ?? {}, { algorithm: "surface net", threshold: 0.6 });
    }),
  // The peer sends a preview's own widget, which the node's definition does not have.
  "3d_hunyuan3d_multiview_to_model": (prompt) =>
    edited(prompt, (nodes) => {
      for (const node of Object.values(nodes)) if (node.inputs["image"] === "") delete node.inputs["image"];
    }),
  // The peer runs the inside of bypassed instances that are nested in another instance.
  flux1_dev_uso_reference_image_gen: (prompt) =>
    edited(prompt, (nodes) => {
      for (const id of Object.keys(nodes)) if (/^112:5[56]:/.test(id)) delete nodes[id];
    }),
};

describe("a workflow becomes the prompt that ComfyUI's own editor makes of it", () => {
  test.each(samples().map((sample) => [sample.name, sample] as const))("%s", (_, sample) => {
    const prompt: Json = JSON.parse(JSON.stringify(writePrompt(readWorkflow(sample.workflow), definitions))) as Json;
    expect(comparable(prompt)).toEqual(comparable(KNOWN[sample.name]?.(sample.prompt) ?? sample.prompt));
  });
});

/** Without titles: those of the recorded prompts come from the peer's translations. */
function comparable(prompt: Json): Json {
  const entries = Object.entries(isObject(prompt) ? prompt : {});
  return Object.fromEntries(
    entries.map(([id, node]) => {
      if (!isObject(node) || !isObject(node["_meta"])) return [id, node];
      return [id, { ...node, _meta: { ...node["_meta"], title: undefined } }];
    }),
  );
}
