/** What the server would refuse, found before anything is sent: by the definitions alone, for each node. */
import type { Definitions, InputDefinition, NodeDefinition } from "./definitions.ts";
import { BYPASSED, type GraphNode, MUTED, type NodeId, nodesOf, type WorkflowDocument } from "./document.ts";
import type { Json } from "./json.ts";
import { definitionOf, expandInputs, linkedInputs } from "./sockets.ts";
import { isVirtual } from "./virtual.ts";
import { widgetsOf } from "./widgets.ts";

export interface Fault {
  readonly node: NodeId;
  readonly input: string;
  readonly message: string;
}

const NO_LINKS: ReadonlySet<string> = new Set();
const NONE: readonly Fault[] = [];
const known = new WeakMap<WorkflowDocument, { definitions: Definitions; faults: readonly Fault[] }>();

/** Of all nodes that would run. Classes and choices that the server does not have are found by missing.ts. */
export function faultsOf(document: WorkflowDocument, definitions: Definitions): readonly Fault[] {
  const found = known.get(document);
  if (found?.definitions === definitions) return found.faults;
  const linked = linkedInputs(document);
  const faults = nodesOf(document).flatMap((node) =>
    nodeFaults(node, definitionOf(document, definitions, node), linked.get(node.id) ?? NO_LINKS),
  );
  known.set(document, { definitions, faults });
  return faults;
}

export function nodeFaults(
  node: GraphNode,
  definition: NodeDefinition | undefined,
  linked: ReadonlySet<string>,
): readonly Fault[] {
  if (!definition || isVirtual(node.type) || node.mode === MUTED || node.mode === BYPASSED) return NONE;
  const { values } = widgetsOf(node, definition);
  // Of inputs that grow, only the server knows how many must be linked.
  const growing = definition.inputs.filter(({ type }) => type === "COMFY_AUTOGROW_V3").map(({ name }) => `${name}.`);
  return expandInputs(node, definition, linked).flatMap((input): Fault[] => {
    if (linked.has(input.name) || growing.some((name) => input.name.startsWith(name))) return [];
    const message = input.widget === null ? missingLink(input) : wrongValue(input, values[input.name]);
    return message === null ? [] : [{ node: node.id, input: input.name, message }];
  });
}

function missingLink({ name, required, type }: InputDefinition): string | null {
  return required ? `“${name}” needs a link from an output of type ${type}.` : null;
}

function wrongValue(input: InputDefinition, value: Json | undefined): string | null {
  const { name, options } = input;
  if (typeof value !== "number" && typeof value !== "bigint") return null;
  const { min, max } = options;
  if ((typeof min === "number" || typeof min === "bigint") && value < min)
    return `“${name}” is ${value}, but must be at least ${min}.`;
  if ((typeof max === "number" || typeof max === "bigint") && value > max)
    return `“${name}” is ${value}, but must be at most ${max}.`;
  return null;
}
