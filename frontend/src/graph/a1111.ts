/**
 * The text that A1111's web UI writes below its pictures -> a prompt. What it says about texts, sampling, size, LoRAs,
 * clip skip and the second pass becomes nodes; other extensions' words are passed over, and named.
 */
import type { Definitions } from "./definitions.ts";
import type { Json, JsonObject } from "./json.ts";

export interface FromParameters {
  readonly prompt: JsonObject;
  /** Settings that no node was made of. */
  readonly unused: readonly string[];
}

interface Parameters {
  readonly positive: string;
  readonly negative: string;
  readonly settings: ReadonlyMap<string, string>;
}

const NEGATIVE = "Negative prompt:";
const SETTINGS_LINE = /^Steps: \d+/;

const SAMPLERS: { readonly [name: string]: string } = {
  euler: "euler",
  "euler a": "euler_ancestral",
  lms: "lms",
  heun: "heun",
  dpm2: "dpm_2",
  "dpm2 a": "dpm_2_ancestral",
  "dpm++ 2s a": "dpmpp_2s_ancestral",
  "dpm++ 2m": "dpmpp_2m",
  "dpm++ sde": "dpmpp_sde",
  "dpm++ 2m sde": "dpmpp_2m_sde",
  "dpm++ 2m sde heun": "dpmpp_2m_sde_heun",
  "dpm++ 3m sde": "dpmpp_3m_sde",
  "dpm fast": "dpm_fast",
  "dpm adaptive": "dpm_adaptive",
  ddim: "ddim",
  unipc: "uni_pc",
  lcm: "lcm",
};

const SCHEDULERS: { readonly [name: string]: string } = {
  automatic: "normal",
  uniform: "normal",
  karras: "karras",
  exponential: "exponential",
  "sgm uniform": "sgm_uniform",
  simple: "simple",
  "kl optimal": "kl_optimal",
  ddim: "ddim_uniform",
  beta: "beta",
};

/** Said by other settings, or about the file only. */
const SILENT: ReadonlySet<string> = new Set([
  "Model hash",
  "VAE hash",
  "Lora hashes",
  "TI hashes",
  "Hashes",
  "Version",
]);

export function isParameters(text: string): boolean {
  return text.split("\n").some((line) => SETTINGS_LINE.test(line.trim()));
}

export function readParameters(text: string, definitions: Definitions): FromParameters {
  const { positive, negative, settings } = parse(text);
  const used = new Set<string>();
  const setting = (name: string): string | undefined => {
    if (settings.has(name)) used.add(name);
    return settings.get(name);
  };
  const numberOf = (name: string, fallback: number): number => Number(setting(name) ?? fallback) || fallback;
  const graph = new PromptBuilder();
  const loader = graph.add("CheckpointLoaderSimple", { ckpt_name: checkpoint(setting("Model"), definitions) });
  let [model, clip, vae]: [Json, Json, Json] = [
    [loader, 0],
    [loader, 1],
    [loader, 2],
  ];
  const { words, loras } = takeLoras(positive);
  for (const { name, strength } of loras) {
    const lora_name = fileOf("LoraLoader", "lora_name", name, definitions);
    const id = graph.add("LoraLoader", { model, clip, lora_name, strength_model: strength, strength_clip: strength });
    [model, clip] = [
      [id, 0],
      [id, 1],
    ];
  }
  const skip = numberOf("Clip skip", 1);
  if (skip > 1) clip = [graph.add("CLIPSetLastLayer", { clip, stop_at_clip_layer: -skip }), 0];
  const vaeName = setting("VAE");
  if (vaeName !== undefined && vaeName !== "Automatic" && vaeName !== "None")
    vae = [graph.add("VAELoader", { vae_name: fileOf("VAELoader", "vae_name", vaeName, definitions) }), 0];
  const [width = 512, height = 512] = (setting("Size") ?? "").split("x").map(Number);
  const { sampler_name, scheduler } = samplerOf(setting("Sampler"), setting("Schedule type"));
  const sampling = {
    seed: seedOf(setting("Seed")),
    steps: numberOf("Steps", 20),
    cfg: numberOf("CFG scale", 7),
    sampler_name,
    scheduler,
    model,
    positive: [graph.add("CLIPTextEncode", { text: words, clip }, "Positive text"), 0],
    negative: [graph.add("CLIPTextEncode", { text: takeLoras(negative).words, clip }, "Negative text"), 0],
  };
  let latent: Json = [graph.add("EmptyLatentImage", { width, height, batch_size: 1 }), 0];
  latent = [graph.add("KSampler", { ...sampling, latent_image: latent, denoise: 1 }), 0];
  const scale = numberOf("Hires upscale", 0);
  if (scale > 0) {
    const larger = graph.add("LatentUpscaleBy", {
      samples: latent,
      upscale_method: "nearest-exact",
      scale_by: scale,
    });
    const again = { steps: numberOf("Hires steps", sampling.steps), denoise: numberOf("Denoising strength", 0.7) };
    setting("Hires upscaler");
    latent = [graph.add("KSampler", { ...sampling, ...again, latent_image: [larger, 0] }, "Second pass"), 0];
  }
  const image = [graph.add("VAEDecode", { samples: latent, vae }), 0];
  graph.add("SaveImage", { images: image, filename_prefix: "Heddle" });
  return {
    prompt: graph.nodes,
    unused: [...settings.keys()].filter((name) => !used.has(name) && !SILENT.has(name)),
  };
}

class PromptBuilder {
  readonly nodes: Record<string, JsonObject> = {};

  add(class_type: string, inputs: JsonObject, title?: string): string {
    const id = String(Object.keys(this.nodes).length + 1);
    this.nodes[id] = { class_type, inputs, ...(title === undefined ? {} : { _meta: { title } }) };
    return id;
  }
}

function parse(text: string): Parameters {
  const lines = text.replaceAll("\r", "").split("\n");
  const last = lines.findLastIndex((line) => SETTINGS_LINE.test(line.trim()));
  const words = lines.slice(0, last).join("\n");
  const split = words.indexOf(NEGATIVE);
  const settings = new Map<string, string>();
  // A value with a comma in it stands in quotation marks.
  for (const [, name = "", value = ""] of (lines[last] ?? "").matchAll(
    /\s*([\w ./-]+):\s*("(?:\\.|[^\\"])*"|[^,]*)(?:,|$)/g,
  ))
    settings.set(name.trim(), value.replace(/^"([^]*)"$/, "$1").trim());
  return {
    positive: (split < 0 ? words : words.slice(0, split)).trim(),
    negative: split < 0 ? "" : words.slice(split + NEGATIVE.length).trim(),
    settings,
  };
}

function takeLoras(text: string): { words: string; loras: { name: string; strength: number }[] } {
  const loras: { name: string; strength: number }[] = [];
  const words = text.replace(/\s*<lora:([^:>]+):?([-\d.]*)[^>]*>/gi, (_, name: string, strength: string) => {
    loras.push({ name, strength: strength === "" ? 1 : Number(strength) || 0 });
    return "";
  });
  return { words: words.trim(), loras };
}

/** Older versions wrote the schedule behind the sampler's name. */
function samplerOf(sampler = "Euler", schedule?: string): { sampler_name: string; scheduler: string } {
  const [, name = sampler, suffix] = /^(.*?)(?: (Karras|Exponential))?$/i.exec(sampler) ?? [];
  const known = SAMPLERS[name.toLowerCase()];
  return {
    sampler_name: known ?? name.toLowerCase().replaceAll("++", "pp").replaceAll(/\s+/g, "_"),
    scheduler: SCHEDULERS[(suffix ?? schedule ?? "automatic").toLowerCase()] ?? "normal",
  };
}

function seedOf(text = "0"): number | bigint {
  const seed = /^\d+$/.test(text) ? BigInt(text) : 0n;
  return seed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(seed) : seed;
}

function checkpoint(name: string | undefined, definitions: Definitions): Json {
  return fileOf("CheckpointLoaderSimple", "ckpt_name", name ?? "", definitions);
}

/** The file of that name among those that the server has, in whatever folder; else the name, which shows as missing. */
function fileOf(classType: string, inputName: string, name: string, definitions: Definitions): Json {
  const choices = definitions.get(classType)?.inputs.find((input) => input.name === inputName)?.choices ?? [];
  const bare = (path: string): string =>
    (path.split(/[\\/]/).at(-1) ?? path).replace(/\.(safetensors|ckpt|pt|sft)$/, "");
  const found = choices.find((choice) => typeof choice === "string" && bare(choice) === bare(name));
  if (found !== undefined) return found;
  if (name === "") return choices[0] ?? "";
  return /\.(safetensors|ckpt|pt|sft)$/.test(name) ? name : `${name}.safetensors`;
}
