import * as fc from "fast-check";
import { expect, test } from "vitest";
import { isArray, isObject, type Json, type JsonObject } from "../../src/graph/json.ts";
import { missingChoices, unknownClasses } from "../../src/graph/missing.ts";
import { openJson } from "../../src/graph/open_file.ts";
import { writePrompt } from "../../src/graph/write_prompt.ts";
import { writeWorkflow } from "../../src/graph/write_workflow.ts";
import { sampleDefinitions, samples } from "./samples.ts";

const definitions = sampleDefinitions();
const SMALL = samples().filter(({ workflow }) => JSON.stringify(workflow).length < 60_000);
const JUNK: readonly Json[] = [null, 0, -1, 1e9, true, "", "junk", [], [null], [[]], {}, { a: [1] }];

/** The workflow with something else in one place, wherever the path of choices leads. */
function spoiled(value: Json, path: readonly number[], junk: Json): Json {
  const [step, ...rest] = path;
  const keys = isArray(value) ? Object.keys(value) : isObject(value) ? Object.keys(value) : [];
  const key = step === undefined ? undefined : keys[step % Math.max(1, keys.length)];
  if (key === undefined) return junk;
  if (isArray(value)) return value.map((item, index) => (String(index) === key ? spoiled(item, rest, junk) : item));
  const object = value as JsonObject;
  return { ...object, [key]: spoiled(object[key] ?? null, rest, junk) };
}

test("a workflow that is damaged in some places still opens, is written and becomes a prompt", () => {
  const damage = fc.array(fc.tuple(fc.array(fc.nat(), { minLength: 2, maxLength: 6 }), fc.constantFrom(...JUNK)), {
    minLength: 1,
    maxLength: 4,
  });
  fc.assert(
    fc.property(fc.constantFrom(...SMALL), damage, ({ workflow }, places) => {
      const file = places.reduce((before, [path, junk]) => spoiled(before, path, junk), workflow);
      const opened = openJson("it", file, definitions);
      if (!opened.ok) {
        expect(opened.message).toMatch(/^“it” is JSON but no workflow/);
        return;
      }
      for (const known of [definitions, new Map() as typeof definitions]) {
        writeWorkflow(opened.document, known);
        writePrompt(opened.document, known);
        missingChoices(opened.document, known);
        unknownClasses(opened.document, known);
      }
    }),
    { numRuns: 300 },
  );
});
