import { describe, expect, test } from "vitest";
import { isParameters, readParameters } from "../../src/graph/a1111.ts";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { isObject, type JsonObject } from "../../src/graph/json.ts";
import { openText } from "../../src/graph/open_file.ts";

const definitions = parseObjectInfo({
  CheckpointLoaderSimple: { input: { required: { ckpt_name: [["xl/juggernaut.safetensors", "other.ckpt"], {}] } } },
});

const TEXT = `a lighthouse, (storm:1.2), <lora:waves:0.7> night
second line
Negative prompt: blurry, "bad"
Steps: 28, Sampler: DPM++ 2M SDE Karras, CFG scale: 5.5, Seed: 18446744073709551615, Size: 832x1216, Model hash: abc123, Model: juggernaut, Clip skip: 2, Denoising strength: 0.4, Hires upscale: 1.5, Hires steps: 10, Hires upscaler: Latent, ADetailer model: "face, hand.pt", Version: v1.10.1`;

const ofClass = (prompt: JsonObject, classType: string): JsonObject[] =>
  Object.values(prompt).flatMap((node) =>
    isObject(node) && node["class_type"] === classType && isObject(node["inputs"]) ? [node["inputs"]] : [],
  );

test("every setting that a node can hold becomes one", () => {
  const { prompt, unused } = readParameters(TEXT, definitions);
  expect(ofClass(prompt, "CheckpointLoaderSimple")).toEqual([{ ckpt_name: "xl/juggernaut.safetensors" }]);
  expect(ofClass(prompt, "LoraLoader")).toMatchObject([
    { lora_name: "waves.safetensors", strength_model: 0.7, strength_clip: 0.7 },
  ]);
  expect(ofClass(prompt, "CLIPSetLastLayer")).toMatchObject([{ stop_at_clip_layer: -2 }]);
  expect(ofClass(prompt, "CLIPTextEncode").map(({ text }) => text)).toEqual([
    "a lighthouse, (storm:1.2), night\nsecond line",
    'blurry, "bad"',
  ]);
  expect(ofClass(prompt, "EmptyLatentImage")).toMatchObject([{ width: 832, height: 1216 }]);
  expect(ofClass(prompt, "LatentUpscaleBy")).toMatchObject([{ scale_by: 1.5 }]);
  const common = { seed: 18446744073709551615n, cfg: 5.5, sampler_name: "dpmpp_2m_sde", scheduler: "karras" };
  expect(ofClass(prompt, "KSampler")).toMatchObject([
    { ...common, steps: 28, denoise: 1 },
    { ...common, steps: 10, denoise: 0.4 },
  ]);
  expect(unused).toEqual(["ADetailer model"]);
});

describe("sampler and schedule", () => {
  const cases: [string, string, string][] = [
    ["Sampler: Euler a", "euler_ancestral", "normal"],
    ["Sampler: DPM++ 2M, Schedule type: Karras", "dpmpp_2m", "karras"],
    ["Sampler: DPM++ 2S a Karras", "dpmpp_2s_ancestral", "karras"],
    ["Sampler: Euler, Schedule type: SGM Uniform", "euler", "sgm_uniform"],
    ["Sampler: DDIM", "ddim", "normal"],
    ["Sampler: Somebody's Own", "somebody's_own", "normal"],
  ];
  test.each(cases)("%s", (settings, sampler_name, scheduler) => {
    const { prompt } = readParameters(`x\nSteps: 20, ${settings}, Seed: 1`, definitions);
    expect(ofClass(prompt, "KSampler")).toMatchObject([{ sampler_name, scheduler }]);
  });
});

test("a text without its settings is none", () => {
  expect(isParameters("Steps to the lighthouse")).toBe(false);
  expect(openText("note.txt", "just words", definitions).ok).toBe(false);
});

test("what no node stands for is said when it opens", () => {
  const opened = openText("picture.txt", TEXT, definitions);
  expect(opened.ok && opened.notice).toMatch(/ADetailer model/);
  expect(opened.ok && opened.needsLayout).toBe(true);
});
