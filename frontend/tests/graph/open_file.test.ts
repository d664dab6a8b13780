import { describe, expect, test } from "vitest";
import { linksOf } from "../../src/graph/document.ts";
import type { Json } from "../../src/graph/json.ts";
import { openFile, openText } from "../../src/graph/open_file.ts";
import { writePrompt } from "../../src/graph/write_prompt.ts";
import { valueFits } from "../../src/graph/widgets.ts";
import { sampleDefinitions, samples } from "./samples.ts";
import { TOYS } from "./toy.ts";

const definitions = sampleDefinitions();

describe("a prompt opened as a graph gives the same prompt", () => {
  test.each(samples().map((sample) => [sample.name, sample.prompt] as const))("%s", (_, prompt) => {
    const opened = openText("api.json", JSON.stringify(renamed(prompt)), definitions);
    if (!opened.ok) throw new Error(opened.message);
    expect(opened.needsLayout).toBe(true);
    const back = writePrompt(opened.document, definitions) as unknown as Record<
      string,
      { class_type: string; inputs: Json }
    >;
    const expected = renamed(prompt) as unknown as Record<string, { class_type: string; inputs: Json }>;
    for (const [id, node] of Object.entries(expected)) {
      expect(back[id]?.class_type).toBe(node.class_type);
      expect(back[id]?.inputs).toMatchObject(node.inputs as object);
    }
  });
});

/** Ids of inner nodes hold a colon, which becomes an underscore. Values that no widget takes are left out. */
function renamed(prompt: Json): Json {
  const text = JSON.stringify(prompt).replace(/"((?:\d+:)+\d+)"/g, (id) => id.replaceAll(":", "_"));
  const nodes = JSON.parse(text) as Record<string, { class_type: string; inputs: Record<string, Json> }>;
  for (const node of Object.values(nodes)) {
    const inputs = definitions.get(node.class_type)?.inputs ?? [];
    for (const name of Object.keys(node.inputs)) {
      const input = inputs.find((candidate) => name === candidate.name);
      const value = node.inputs[name] ?? null;
      if (!Array.isArray(value) && !(input?.widget && valueFits(input, value))) delete node.inputs[name];
    }
  }
  return nodes as unknown as Json;
}

describe("what cannot be opened is refused with a sentence that names the file", () => {
  const cases: [string, string | Uint8Array, RegExp][] = [
    ["broken.json", "{", /^“broken\.json” is not valid JSON: .+\.$/],
    ["list.json", "[1]", /^“list\.json” is JSON but no workflow/],
    ["prompt.json", '{"1": {"inputs": {}}}', /^“prompt\.json” is JSON but no workflow/],
    ["empty.json", "  ", /^“empty\.json” is empty\.$/],
    ["film.bin", new Uint8Array([0, 0, 0, 32]), /^“film\.bin” is no kind of file that carries a workflow/],
    [
      "plain.png",
      new Uint8Array([137, 80, 78, 71, 13, 10, 26, 10]),
      /^“plain\.png” is a picture that carries no workflow\.$/,
    ],
  ];
  test.each(cases)("%s", async (name, content, message) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const opened = await openFile(name, bytes, TOYS);
    expect(opened.ok ? "" : opened.message).toMatch(message);
  });
});

test("bare NaN, as Python writes it, is read", () => {
  const opened = openText(
    "nan.json",
    '{"1": {"class_type": "Noise", "inputs": {"seed": 4}, "is_changed": [NaN]}}',
    TOYS,
  );
  expect(opened.ok).toBe(true);
});

test("an unknown class becomes a placeholder that keeps its links and values", () => {
  const text = JSON.stringify({
    1: { class_type: "Load", inputs: { file: "a.png" } },
    2: { class_type: "FromAnotherPack", inputs: { image: ["1", 0], power: 3 } },
    3: { class_type: "Save", inputs: { images: ["2", 1] } },
  });
  const opened = openText("pack.json", text, TOYS);
  if (!opened.ok) throw new Error(opened.message);
  expect(linksOf(opened.document).map((link) => `${link.source}->${link.target}.${link.input}`)).toEqual([
    "1->2.image",
    "2->3.images",
  ]);
  expect(writePrompt(opened.document, TOYS)["2"]?.inputs).toEqual({ image: ["1", 0], power: 3 });
});
