import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { integer, type Json, parseJson, writeJson } from "../../src/graph/json.ts";
import { readWorkflow } from "../../src/graph/read_workflow.ts";
import { writePrompt } from "../../src/graph/write_prompt.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { TOYS } from "./toy.ts";

describe("integers that a double would round", () => {
  const cases: [string, Json][] = [
    ["18446744073709551615", 18446744073709551615n],
    ["-9007199254740993", -9007199254740993n],
    ["9007199254740991", 9007199254740991],
    ['{"a": [9007199254740993, 1], "b": "9007199254740993"}', { a: [9007199254740993n, 1], b: "9007199254740993" }],
    ["1e300", 1e300],
    ["0.12345678901234567890", 0.12345678901234568],
    ['["integer:5", 9007199254740993]', ["integer:5", 9007199254740993n]],
    ['["\\"9007199254740993", NaN, 9007199254740993]', ['"9007199254740993', null, 9007199254740993n]],
  ];
  test.each(cases)("%s is read exactly", (text, expected) => expect(parseJson(text)).toEqual(expected));

  test("are written as they were read", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.bigInt(), fc.string(), fc.constant("integer:12"))), (values) => {
        const exact = values.map((value) => (typeof value === "bigint" ? integer(value) : value));
        expect(parseJson(writeJson(exact))).toEqual(exact);
      }),
    );
  });
});

test("a seed of 64 bits survives opening, running and saving", () => {
  const seed = "18446744073709551615";
  const text = `{"nodes":[{"id":1,"type":"Noise","pos":[0,0],"size":[200,100],"widgets_values":[${seed},"fixed",1]}],"links":[]}`;
  const document = readWorkflow(parseJson(text));
  expect(writeJson(writePrompt(document, TOYS))).toContain(`"seed":${seed}`);
  expect(writeJson(writeWorkflow(document, TOYS))).toContain(`[${seed},"fixed",1]`);
});
