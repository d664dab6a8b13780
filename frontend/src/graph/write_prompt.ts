/**
 * Document -> the prompt that the server runs: muted and bypassed nodes, reroutes, primitives and subgraphs are
 * resolved away. Invents no value; what is missing is for the server's validation to report.
 */
import {
  BYPASSED,
  type GraphNode,
  INPUT_RAIL,
  type Link,
  MUTED,
  type Network,
  type NodeId,
  OUTPUT_RAIL,
  type Subgraph,
  type WorkflowDocument,
  linksOf,
  nodeId,
  nodesOf,
} from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { asString, isArray, isObject, type Json } from "./json.ts";
import { promotedAs, proxyWidgets } from "./read_workflow.ts";
import { definitionOf, socketsOf } from "./sockets.ts";
import { typesFit } from "./types.ts";
import { isVirtual, PRIMITIVE, REROUTE } from "./virtual.ts";
import { widgetsOf } from "./widgets.ts";

export interface PromptNode {
  readonly class_type: string;
  readonly inputs: { readonly [name: string]: Json };
  readonly _meta: { readonly [key: string]: Json };
}
export interface Prompt {
  readonly [executionId: string]: PromptNode;
}

/** What feeds an input: another node's output, or a value standing in the document; null for nothing. */
type Source = { readonly link: readonly [string, number] } | { readonly value: Json } | null;

/** The graph, or the inside of one subgraph instance. */
interface Scope {
  readonly network: Network;
  readonly into: ReadonlyMap<string, Link>;
  readonly prefix: string;
  readonly instance: { readonly node: GraphNode; readonly subgraph: Subgraph; readonly outside: Scope } | null;
  /** Values that an instance gives to inner widgets which are not inputs of its subgraph (proxyWidgets). */
  readonly overrides: ReadonlyMap<string, Json>;
}

const key = (node: NodeId, input: string): string => `${node}\u0000${input}`;

export function writePrompt(document: WorkflowDocument, definitions: Definitions): Prompt {
  const prompt: Record<string, PromptNode> = {};
  emit(new Conversion(document, definitions), openScope(document, "", null, new Map()), prompt);
  for (const node of Object.values(prompt)) dropDanglingLinks(node, prompt);
  return prompt;
}

function openScope(
  network: Network,
  prefix: string,
  instance: Scope["instance"],
  overrides: ReadonlyMap<string, Json>,
): Scope {
  const into = new Map(linksOf(network).map((link) => [key(link.target, link.input), link]));
  return { network, into, prefix, instance, overrides };
}

function emit(conversion: Conversion, scope: Scope, prompt: Record<string, PromptNode>): void {
  for (const node of nodesOf(scope.network)) {
    if (node.mode === MUTED || node.mode === BYPASSED) continue;
    const inner = conversion.enter(scope, node);
    if (inner) emit(conversion, inner, prompt);
    else if (!isVirtual(node.type)) prompt[scope.prefix + node.id] = conversion.promptNode(scope, node);
  }
}

function dropDanglingLinks(node: PromptNode, prompt: Prompt): void {
  const inputs = node.inputs as Record<string, Json>;
  for (const [name, value] of Object.entries(inputs)) {
    if (isArray(value) && value.length === 2 && typeof value[0] === "string" && !(value[0] in prompt))
      delete inputs[name];
  }
}

class Conversion {
  private readonly document: WorkflowDocument;
  private readonly definitions: Definitions;
  private readonly scopes = new Map<string, Scope>();

  constructor(document: WorkflowDocument, definitions: Definitions) {
    this.document = document;
    this.definitions = definitions;
  }

  /** The inside of a subgraph instance; null for an ordinary node. */
  enter(outside: Scope, node: GraphNode): Scope | null {
    const subgraph = this.document.subgraphs[node.type];
    if (!subgraph) return null;
    const prefix = `${outside.prefix}${node.id}:`;
    const known = this.scopes.get(prefix);
    if (known) return known;
    // A subgraph that holds itself would never end.
    for (let scope: Scope | null = outside; scope; scope = scope.instance?.outside ?? null) {
      if (scope.instance?.subgraph.id === subgraph.id) return null;
    }
    const scope = openScope(subgraph, prefix, { node, subgraph, outside }, this.overridesOf(outside, node, subgraph));
    this.scopes.set(prefix, scope);
    return scope;
  }

  promptNode(scope: Scope, node: GraphNode): PromptNode {
    const definition = definitionOf(this.document, this.definitions, node);
    const inputs: Record<string, Json> = {};
    // An unknown class keeps what the file says by name, so that a prompt opened here is also written whole.
    if (!definition) {
      for (const [name, value] of Object.entries({ ...node.named, ...node.values })) {
        if (value !== undefined) inputs[name] = asLiteral(value);
      }
    }
    const { entries } = widgetsOf(node, definition);
    for (const entry of entries) {
      if (entry.role !== "value") continue;
      const value = this.widgetValue(scope, node, entry.key);
      if (value !== undefined) inputs[entry.key] = asLiteral(value);
    }
    for (const link of this.linksInto(scope, node)) {
      const source = this.resolve(scope, link, link.type, new Set());
      if (source === null) continue;
      inputs[link.input] = "link" in source ? [...source.link] : asLiteral(source.value);
    }
    return { class_type: node.type, inputs, _meta: this.meta(node, definition?.displayName) };
  }

  private meta(node: GraphNode, displayName: string | undefined): Record<string, Json> {
    const properties = isObject(node.saved?.["properties"]) ? node.saved["properties"] : {};
    const meta: Record<string, Json> = { title: node.title ?? displayName ?? node.type };
    for (const name of ["cnr_id", "aux_id", "ver"]) {
      const value = asString(properties[name]);
      if (value !== null) meta[name] = value;
    }
    return meta;
  }

  private linksInto(scope: Scope, node: GraphNode): Link[] {
    return [...scope.into.values()].filter((link) => link.target === node.id);
  }

  private widgetValue(scope: Scope, node: GraphNode, name: string): Json | undefined {
    const override = scope.overrides.get(key(node.id, name));
    if (override !== undefined) return override;
    const definition = definitionOf(this.document, this.definitions, node);
    return widgetsOf(node, definition).values[name];
  }

  private overridesOf(outside: Scope, node: GraphNode, subgraph: Subgraph): Map<string, Json> {
    const overrides = new Map<string, Json>();
    const values = node.saved?.["widgets_values"];
    if (!isArray(values)) return overrides;
    proxyWidgets(node.saved).forEach(({ inner, widget }, index) => {
      const value = outside.overrides.get(key(node.id, widget)) ?? values[index];
      if (value === undefined || value === null || inner === "-1") return;
      if (promotedAs(subgraph, nodeId(inner), widget) === null) overrides.set(key(nodeId(inner), widget), value);
    });
    return overrides;
  }

  /** What the link brings, seen from its target. `seen` guards against links that go round. */
  private resolve(scope: Scope, link: Link, wanted: string, seen: Set<string>): Source {
    const place = `${scope.prefix}${link.source}/${link.output}`;
    if (seen.has(place)) return null;
    seen.add(place);
    if (link.source === INPUT_RAIL) return this.resolveOutside(scope, link.output, wanted, seen);
    const node = scope.network.nodes[link.source];
    if (!node || node.mode === MUTED) return null;
    if (node.mode === BYPASSED) return this.resolveBypassed(scope, node, link.output, wanted, seen);
    if (node.type === REROUTE) return this.follow(scope, node.id, node.inputs[0]?.name ?? "", wanted, seen);
    if (node.type === PRIMITIVE) return this.primitiveValue(scope, node);
    const inner = this.enter(scope, node);
    if (!inner) return isVirtual(node.type) ? null : { link: [scope.prefix + node.id, link.output] };
    const last = linksOf(inner.network).find((candidate) => {
      return candidate.target === OUTPUT_RAIL && candidate.input === String(link.output);
    });
    return last ? this.resolve(inner, last, wanted, seen) : null;
  }

  private follow(scope: Scope, target: NodeId, input: string, wanted: string, seen: Set<string>): Source {
    const link = scope.into.get(key(target, input));
    return link ? this.resolve(scope, link, wanted, seen) : null;
  }

  private resolveOutside(scope: Scope, rail: number, wanted: string, seen: Set<string>): Source {
    const { instance } = scope;
    const name = instance?.subgraph.inputs[rail]?.name;
    if (!instance || name === undefined) return null;
    const link = instance.outside.into.get(key(instance.node.id, name));
    if (link) return this.resolve(instance.outside, link, wanted, seen);
    const value = this.widgetValue(instance.outside, instance.node, name);
    return value === undefined ? null : { value };
  }

  private primitiveValue(scope: Scope, node: GraphNode): Source {
    const values = node.saved?.["widgets_values"];
    const value =
      scope.overrides.get(key(node.id, "value")) ?? node.values["value"] ?? (isArray(values) ? values[0] : undefined);
    return value === undefined ? null : { value };
  }

  /** A bypassed node passes on one of its inputs: the same place if it fits, else the closest type. */
  private resolveBypassed(scope: Scope, node: GraphNode, output: number, wanted: string, seen: Set<string>): Source {
    const definition = definitionOf(this.document, this.definitions, node);
    const { inputs, outputs } = socketsOf(node, definition);
    const listed = node.inputs.length > 0 ? node.inputs : inputs;
    const given = outputs[output]?.type ?? "*";
    const same = listed[output];
    const chosen =
      wanted === "*"
        ? (same ?? listed[0])
        : same && typesFit(same.type, given) && typesFit(same.type, wanted)
          ? same
          : (listed.find((input) => input.type === wanted) ?? listed.find((input) => typesFit(input.type, wanted)));
    return chosen ? this.follow(scope, node.id, chosen.name, wanted, seen) : null;
  }
}

/** A bare list of two would read as a link. */
function asLiteral(value: Json): Json {
  return isArray(value) ? { __value__: value } : value;
}
