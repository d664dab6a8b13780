/** The workflows that tests read: those beside this file, and all the parity ones where the checkout has them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Definitions, parseObjectInfo } from "../../src/graph/definitions.ts";
import { type Json, parseJson } from "../../src/graph/json.ts";
import { VIRTUAL_DEFINITIONS } from "../../src/graph/virtual.ts";

const OWN = fileURLToPath(new URL("testdata/", import.meta.url));
const PARITY = fileURLToPath(new URL("../../../../shared/parity/workflows/", import.meta.url));

export interface Sample {
  readonly name: string;
  readonly workflow: Json;
  readonly prompt: Json;
}

const folder = existsSync(PARITY) ? PARITY : OWN;
const read = (path: string): Json => parseJson(readFileSync(path, "utf8"));

export function samples(): Sample[] {
  const names = readdirSync(folder).flatMap((file) => /^(.*)\.workflow\.json$/.exec(file)?.[1] ?? []);
  return names.map((name) => ({
    name,
    workflow: read(`${folder}${name}.workflow.json`),
    prompt: read(`${folder}${name}.prompt.json`),
  }));
}

export function sampleDefinitions(): Definitions {
  const definitions = new Map(parseObjectInfo(read(`${folder}object_info.json`)));
  for (const definition of VIRTUAL_DEFINITIONS) definitions.set(definition.classType, definition);
  return definitions;
}
