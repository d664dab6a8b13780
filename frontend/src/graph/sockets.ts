/** The sockets a node shows: what its definition declares, joined by name with what its file lists. */
import type { GraphNode, Network, WorkflowDocument } from "./document.ts";
import { linksOf } from "./document.ts";
import { type InputDefinition, type NodeDefinition, parseInput } from "./definitions.ts";
import { autogrowInputs, optionInputs } from "./dynamic.ts";
import { PRIMITIVE, primitiveDefinition } from "./virtual.ts";
import { widgetsOf } from "./widgets.ts";

export interface InputSocket {
  readonly name: string;
  readonly type: string;
  readonly label: string;
  readonly required: boolean;
  /** The widget that this socket can replace; null when only a link can feed it. */
  readonly widget: string | null;
  /** Shown only while it is used or asked for. */
  readonly isAdvanced: boolean;
}

export interface OutputSocket {
  readonly name: string;
  readonly type: string;
  readonly label: string;
}

export interface Sockets {
  readonly inputs: readonly InputSocket[];
  readonly outputs: readonly OutputSocket[];
}

const NO_LINKS: ReadonlySet<string> = new Set();

/** The names of inputs that are linked, of each node. Made once for a network. */
export function linkedInputs(network: Network): ReadonlyMap<string, ReadonlySet<string>> {
  const linked = new Map<string, Set<string>>();
  for (const link of linksOf(network)) {
    const names = linked.get(link.target) ?? new Set();
    linked.set(link.target, names.add(link.input));
  }
  return linked;
}

export function socketsOf(
  node: GraphNode,
  definition: NodeDefinition | undefined,
  linked: ReadonlySet<string> = NO_LINKS,
): Sockets {
  const outputs = outputsOf(node, definition);
  const savedByName = new Map(node.inputs.map((input) => [input.name, input]));
  const declared = definition ? expandInputs(node, definition, linked) : [];
  const sockets = declared
    .filter((input) => input.options["socketless"] !== true)
    .map((input): InputSocket => {
      const saved = savedByName.get(input.name);
      return {
        name: input.name,
        type: saved && (input.type === "*" || input.type.startsWith("COMFY_")) ? saved.type : input.type,
        label: saved?.label ?? input.name,
        required: input.required,
        widget: input.widget ? input.name : null,
        isAdvanced: input.options["advanced"] === true,
      };
    });
  const names = new Set(sockets.map((socket) => socket.name));
  const extras = node.inputs
    .filter((input) => !names.has(input.name) && (!definition || linked.has(input.name)))
    .map((input): InputSocket => ({
      name: input.name,
      type: input.type,
      label: input.label ?? input.name,
      required: false,
      widget: input.widget,
      isAdvanced: false,
    }));
  for (const extra of extras) names.add(extra.name);
  // A link into an input that nobody lists any more is still a link: it shows, and can be taken away.
  const orphans = [...linked]
    .filter((name) => !names.has(name))
    .map((name): InputSocket => ({ name, type: "*", label: name, required: false, widget: null, isAdvanced: false }));
  const all = [...sockets, ...extras, ...orphans];
  return { inputs: [...all.filter((input) => !input.widget), ...all.filter((input) => input.widget)], outputs };
}

function outputsOf(node: GraphNode, definition: NodeDefinition | undefined): OutputSocket[] {
  const declared = definition?.outputs ?? [];
  const count = Math.max(declared.length, node.outputs.length);
  return Array.from({ length: count }, (_, index) => {
    const output = declared[index];
    const saved = node.outputs[index];
    const name = output?.name ?? saved?.name ?? "";
    const generic = !output || output.type === "*" || output.type.startsWith("COMFY_");
    const type = generic ? (saved?.type ?? "*") : output.type;
    return { name, type, label: saved?.label ?? (name || type) };
  });
}

/** The definition's inputs with dynamic ones replaced by those that this node has now. */
export function expandInputs(
  node: GraphNode,
  definition: NodeDefinition,
  linked: ReadonlySet<string>,
): InputDefinition[] {
  const { values } = widgetsOf(node, definition);
  const expand = (input: InputDefinition): InputDefinition[] => {
    if (input.type === "COMFY_AUTOGROW_V3") return autogrowInputs(input, linked);
    if (input.widget !== "dynamic-combo") return [input];
    return [input, ...optionInputs(input, values[input.name]).flatMap(expand)];
  };
  return definition.inputs.flatMap(expand);
}

/** A node's definition: the server's, or one made from a subgraph of the document, or for a primitive. */
export function definitionOf(
  document: Pick<WorkflowDocument, "subgraphs">,
  definitions: ReadonlyMap<string, NodeDefinition>,
  node: Pick<GraphNode, "type" | "outputs">,
): NodeDefinition | undefined {
  if (node.type === PRIMITIVE) return primitiveDefinition(node.outputs[0]?.type ?? "*");
  const known = definitions.get(node.type);
  if (known) return known;
  const subgraph = document.subgraphs[node.type];
  return subgraph && subgraphDefinition(document, subgraph.id, definitions);
}

/** The inner widget that a rail feeds. Of an unknown class the file says whether the input was a widget's. */
function promotedWidget(
  target: GraphNode,
  definition: NodeDefinition | undefined,
  name: string,
  type: string,
): InputDefinition | undefined {
  if (definition) return definition.inputs.find((input) => input.name === name && input.widget);
  const isWidget = target.inputs.some((input) => input.name === name && input.widget !== null);
  return isWidget ? parseInput(name, [type, { control_after_generate: false }], false) : undefined;
}

const subgraphDefinitions = new WeakMap<object, { definitions: object; definition: NodeDefinition }>();

/** A promoted widget is a subgraph input that is linked inside to a widget's input; it takes that widget's shape. */
function subgraphDefinition(
  document: Pick<WorkflowDocument, "subgraphs">,
  id: string,
  definitions: ReadonlyMap<string, NodeDefinition>,
): NodeDefinition | undefined {
  const subgraph = document.subgraphs[id];
  if (!subgraph) return undefined;
  const known = subgraphDefinitions.get(subgraph);
  if (known?.definitions === definitions) return known.definition;
  const inputs = subgraph.inputs.map((rail, index): InputDefinition => {
    const inside = linksOf(subgraph).find((link) => Number(link.source) === -10 && link.output === index);
    const target = inside && subgraph.nodes[inside.target];
    const inner = target && definitionOf(document, definitions, target);
    const widget = target && promotedWidget(target, inner, inside.input, rail.type);
    const base = { name: rail.name, type: rail.type, required: false, choices: null, widget: null, options: {} };
    if (!target || !widget) return base;
    const inherited = widgetsOf(target, inner).values[inside.input];
    const options = { ...widget.options, control_after_generate: false, image_upload: false };
    return {
      ...widget,
      name: rail.name,
      options: inherited === undefined ? options : { ...options, default: inherited },
    };
  });
  const definition: NodeDefinition = {
    classType: id,
    displayName: subgraph.name,
    category: "subgraphs",
    description: "A subgraph of this workflow.",
    inputs,
    outputs: subgraph.outputs.map((output) => ({ name: output.name, type: output.type, isList: false })),
    isOutput: false,
    isDeprecated: false,
  };
  subgraphDefinitions.set(subgraph, { definitions, definition });
  return definition;
}
