import { describe, expect, test } from "vitest";
import { neededBytes, openFile } from "../../../src/graph/open_file.ts";
import { writePrompt } from "../../../src/graph/write_prompt.ts";
import { writeWorkflow } from "../../../src/graph/write_workflow.ts";
import type { Json } from "../../../src/graph/json.ts";
import { TOYS } from "../toy.ts";
import { animatedPng, exif, exifComment, mp4, mp4Comment, safetensors, webm, webp } from "./made.ts";

const WORKFLOW: Json = {
  last_node_id: 4,
  last_link_id: 0,
  nodes: [{ id: 4, type: "Noise", pos: [1, 2], size: [200, 100], widgets_values: [7, "fixed", 0.5], note: "ünknown" }],
  links: [],
  groups: [],
  extra: { of_a_pack: [1, null, "x"] },
  version: 0.4,
};
const PROMPT: Json = { 4: { class_type: "Noise", inputs: { seed: 7, strength: 0.5 } } };
const texts = { workflow: JSON.stringify(WORKFLOW), prompt: JSON.stringify(PROMPT) };
const both = JSON.stringify({ workflow: texts.workflow, prompt: texts.prompt });

describe("a workflow comes out of a file as it went in", () => {
  const cases: [string, Buffer][] = [
    ["a WebP picture", webp(exif(texts))],
    ["a WebP picture with its bytes in the other order", webp(exif(texts, "MM"))],
    ["a WebP picture with EXIF's own prefix", webp(Buffer.concat([Buffer.from("Exif\0\0"), exif(texts)]))],
    ["an animated PNG", animatedPng(texts)],
    ["an MP4 film", mp4(texts)],
    ["an MP4 film with dotted keys", mp4({ "com.example.workflow": texts.workflow })],
    ["a QuickTime film", mp4(texts, { isQuickTime: true })],
    ["an MP4 film with a comment that has both", mp4Comment(both)],
    ["a WebM film", webm({ WORKFLOW: texts.workflow, PROMPT: texts.prompt })],
    ["a WebM film of unknown size", webm(texts, { isOpen: true })],
    ["a WebM film with a comment that has both", webm({ COMMENT: both })],
    ["a latent", safetensors(texts)],
  ];
  test.each(cases)("%s", async (_, bytes) => {
    const opened = await openFile("it", bytes, TOYS);
    expect(opened.ok ? writeWorkflow(opened.document, TOYS) : opened.message).toEqual(WORKFLOW);
  });
});

test("a file with a prompt alone opens as that", async () => {
  for (const bytes of [
    webp(exif({ prompt: texts.prompt })),
    mp4({ prompt: texts.prompt }),
    webm({ PROMPT: texts.prompt }),
  ]) {
    const opened = await openFile("it", bytes, TOYS);
    expect(opened.ok && writePrompt(opened.document, TOYS)["4"]?.inputs).toEqual({ seed: 7, strength: 0.5 });
  }
});

test("A1111's text opens from a user comment, in every coding", async () => {
  const words = "a lighthouse\nSteps: 12, Sampler: Euler, Size: 64x64, Seed: 5";
  for (const coding of ["utf-16be", "utf-16le", "ascii"] as const) {
    const opened = await openFile("it.webp", webp(exifComment(words, coding)), TOYS);
    expect(
      opened.ok && Object.values(opened.document.nodes).find(({ type }) => type === "KSampler")?.values,
    ).toMatchObject({
      steps: 12,
      seed: 5,
    });
  }
});

describe("a file that carries nothing is refused with what it is", () => {
  const cases: [string, Buffer, string][] = [
    ["a.webp", webp(exif({})), "a picture"],
    ["a.mp4", mp4({ title: "me" }), "a film"],
    ["a.webm", webm({}), "a film"],
    ["a.latent", safetensors({}), "a safetensors file"],
  ];
  test.each(cases)("%s", async (name, bytes, what) => {
    expect(await openFile(name, bytes, TOYS)).toEqual({
      ok: false,
      message: `“${name}” is ${what} that carries no workflow.`,
    });
  });
});

test("a file that is cut off anywhere is refused or opened, never a fault", async () => {
  for (const whole of [webp(exif(texts)), mp4(texts), webm(texts), safetensors(texts), animatedPng(texts)]) {
    for (let end = 1; end < whole.length; end += 7)
      // oxlint-disable-next-line no-await-in-loop -- one file after the other
      expect(typeof (await openFile("cut", whole.subarray(0, end), TOYS)).ok).toBe("boolean");
  }
});

test("of a checkpoint only the header is read", () => {
  const whole = safetensors(texts);
  expect(neededBytes(whole.subarray(0, 16))).toBe(whole.length - 4);
  expect(neededBytes(mp4(texts).subarray(0, 16))).toBe(null);
  expect(neededBytes(Buffer.from('{"nodes": []}'))).toBe(null);
});
