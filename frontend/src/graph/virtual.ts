/** Node types that exist in the editor only: notes, reroutes and primitives. They are never sent to the server. */
import { type InputDefinition, type NodeDefinition, parseInput } from "./definitions.ts";

const note = (classType: string, displayName: string, isMarkdown = false): NodeDefinition => ({
  classType,
  displayName,
  category: "notes",
  description: "Text for whoever reads the workflow. It does not run.",
  inputs: [isMarkdown ? { ...noteText, options: { ...noteText.options, markdown: true } } : noteText],
  outputs: [],
  isOutput: false,
  isDeprecated: false,
});

const noteText: InputDefinition = {
  name: "text",
  type: "STRING",
  required: true,
  options: { multiline: true, socketless: true },
  choices: null,
  widget: "text",
};

export const REROUTE = "Reroute";
export const PRIMITIVE = "PrimitiveNode";

export const VIRTUAL_DEFINITIONS: readonly NodeDefinition[] = [
  note("Note", "Note"),
  note("MarkdownNote", "Markdown Note", true),
  {
    classType: REROUTE,
    displayName: "Reroute",
    category: "utils",
    description: "A bend in a link.",
    inputs: [{ name: "", type: "*", required: false, options: {}, choices: null, widget: null }],
    outputs: [{ name: "", type: "*", isList: false }],
    isOutput: false,
    isDeprecated: false,
  },
];

/** One definition for each type, so that what is remembered by definition stays valid. */
const primitives = new Map<string, NodeDefinition>();

/** A primitive holds one value of the type that its output has; a number also says what a run does to it. */
export function primitiveDefinition(type: string): NodeDefinition {
  const known = primitives.get(type);
  if (known) return known;
  const isNumber = type === "INT" || type === "FLOAT";
  const options = { socketless: true, control_after_generate: isNumber, multiline: type === "STRING" };
  const definition: NodeDefinition = {
    classType: PRIMITIVE,
    displayName: "Primitive",
    category: "utils",
    description: "A value that several nodes share.",
    inputs: [
      parseInput("value", [type === "COMBO" ? "STRING" : type, { ...options, multiline: type === "STRING" }], true),
    ],
    outputs: [{ name: type, type, isList: false }],
    isOutput: false,
    isDeprecated: false,
  };
  primitives.set(type, definition);
  return definition;
}

const VIRTUAL_TYPES: ReadonlySet<string> = new Set(["Note", "MarkdownNote", REROUTE, PRIMITIVE]);

export function isVirtual(type: string): boolean {
  return VIRTUAL_TYPES.has(type);
}
