import { describe, expect, test } from "vitest";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { missingChoices, unknownClasses } from "../../src/graph/missing.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { sampleDefinitions, samples } from "./samples.ts";
import { fileWith } from "./toy.ts";

const definitions = parseObjectInfo({
  Loader: { input: { required: { ckpt: [["a.safetensors", "b.safetensors"], {}] } }, output: ["MODEL"] },
});
const url = "https://example.org/models/gone.safetensors";
const loader = (value: string, extra: object = {}) =>
  fileWith({ type: "Loader", widgets_values: [value], properties: extra as never });

describe("a choice that the server does not have", () => {
  test("is told with the place where the file says it can be had", () => {
    const models = [{ name: "gone.safetensors", url, directory: "checkpoints" }];
    expect(missingChoices(loader("folder/gone.safetensors", { models }), definitions)).toEqual([
      {
        node: "1",
        widget: "ckpt",
        input: "ckpt",
        value: "folder/gone.safetensors",
        choices: ["a.safetensors", "b.safetensors"],
        source: { url, directory: "checkpoints" },
      },
    ]);
  });
  test("is told without one too, and never with an address that is no web page", () => {
    const models = [{ name: "gone.safetensors", url: "javascript:alert(1)" }];
    expect(missingChoices(loader("gone.safetensors", { models }), definitions)).toMatchObject([{ source: null }]);
  });
  test("is none when the server has it", () =>
    expect(missingChoices(loader("b.safetensors"), definitions)).toEqual([]));
  test("inside a subgraph is told at its instance", () => {
    const document = readWorkflow({
      version: 0.4,
      nodes: [{ id: 7, type: "sub", pos: [0, 0], size: [1, 1] }],
      links: [],
      definitions: {
        subgraphs: [
          {
            id: "sub",
            name: "S",
            inputs: [],
            outputs: [],
            links: [],
            nodes: [{ id: 1, type: "Loader", widgets_values: ["gone.safetensors"] }],
          },
        ],
      },
    });
    expect(missingChoices(document, definitions)).toMatchObject([
      { node: "7", widget: null, value: "gone.safetensors" },
    ]);
  });
});

test("an unknown class is told once, with its pack and all its nodes", () => {
  const node = { type: "Foreign", pos: [0, 0], size: [1, 1], properties: { cnr_id: "a-pack", ver: "1.2.0" } };
  const document = readWorkflow({ version: 0.4, nodes: [1, 2].map((id) => ({ id, ...node })), links: [] });
  expect(unknownClasses(document, definitions)).toEqual([
    { classType: "Foreign", nodes: ["1", "2"], pack: "a-pack 1.2.0" },
  ]);
});

describe("of the published templates no class is unknown to the server that they were made for", () => {
  test.each(samples().map((sample) => [sample.name, sample.workflow] as const))("%s", (_, workflow) => {
    expect(unknownClasses(readWorkflow(workflow), sampleDefinitions())).toEqual([]);
  });
});
