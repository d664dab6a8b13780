/**
 * Inputs that depend on what the node holds: a dynamic combo brings the inputs of its chosen option, an autogrow
 * grows one socket ahead of its links. Nested inputs have dotted names, as in the prompt.
 */
import { type InputDefinition, parseInputs } from "./definitions.ts";
import { asNumber, asString, isArray, isObject, type Json } from "./json.ts";

/** The inputs that the chosen option of a dynamic combo adds, named `combo.input`. */
export function optionInputs(combo: InputDefinition, chosen: Json | undefined): InputDefinition[] {
  const options = isArray(combo.options["options"]) ? combo.options["options"].filter(isObject) : [];
  const option = options.find((candidate) => candidate["key"] === chosen) ?? (chosen === undefined ? options[0] : null);
  if (!option || !isObject(option["inputs"])) return [];
  return parseInputs(option["inputs"]).map((input) => ({ ...input, name: `${combo.name}.${input.name}` }));
}

export function optionKeys(combo: InputDefinition): string[] {
  const options = isArray(combo.options["options"]) ? combo.options["options"] : [];
  return options.flatMap((option) => (isObject(option) && typeof option["key"] === "string" ? [option["key"]] : []));
}

/** The sockets of an autogrow: those that are linked, at least `min`, and one spare, at most `max`. */
export function autogrowInputs(input: InputDefinition, linked: ReadonlySet<string>): InputDefinition[] {
  const template = isObject(input.options["template"]) ? input.options["template"] : {};
  const inner = isObject(template["input"]) ? parseInputs(template["input"])[0] : undefined;
  if (!inner) return [];
  const socket = (name: string): InputDefinition => ({ ...inner, name: `${input.name}.${name}`, widget: null });
  if (isArray(template["names"]))
    return template["names"].flatMap((name) => (asString(name) ? [socket(String(name))] : []));
  const prefix = asString(template["prefix"]) ?? inner.name;
  const min = asNumber(template["min"]) ?? 1;
  const max = asNumber(template["max"]) ?? 100;
  let used = 0;
  for (let index = 0; index < max; index += 1) if (linked.has(`${input.name}.${prefix}${index}`)) used = index + 1;
  const count = Math.min(max, Math.max(min + 1, used + 1));
  return Array.from({ length: count }, (_, index) => socket(`${prefix}${index}`));
}
