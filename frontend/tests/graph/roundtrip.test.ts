import { describe, expect, test } from "vitest";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { sampleDefinitions, samples } from "./samples.ts";

const definitions = sampleDefinitions();

describe("a workflow that nobody changed is written as it was read", () => {
  test.each(samples().map((sample) => [sample.name, sample] as const))("%s", (_, sample) => {
    expect(writeWorkflow(readWorkflow(sample.workflow), definitions)).toEqual(sample.workflow);
    expect(writeWorkflow(readWorkflow(sample.workflow), new Map())).toEqual(sample.workflow);
  });
});
