/**
 * The types that flow through templates (COMFY_MATCHTYPE_V3): an input takes what its template allows, an output gives
 * what is linked to the inputs that it matches.
 *
 * The rules are those of the server's check of a prompt; several types are one word with commas.
 */
import type { Definitions, InputDefinition } from "./definitions.ts";
import { linksOf, type GraphNode, type Network, type NodeId, type WorkflowDocument } from "./document.ts";
import { asString, isArray, isObject } from "./json.ts";
import { definitionOf, expandInputs, type Sockets, socketsOf } from "./sockets.ts";
import { typesFit } from "./types.ts";

const MATCH_TYPE = "COMFY_MATCHTYPE_V3";

/** A node's sockets with the types that its templates have now. */
export function matchedSockets(document: WorkflowDocument, definitions: Definitions, node: GraphNode): Sockets {
  const definition = definitionOf(document, definitions, node);
  const sockets = socketsOf(node, definition, linkedOf(document, node));
  if (!definition) return sockets;
  const types = new MatchedTypes(document, definitions);
  const templates = new Map(types.templatesOf(node).map((input) => [input.name, allowedBy(input)]));
  return {
    inputs: sockets.inputs.map((socket) => ({ ...socket, type: templates.get(socket.name) ?? socket.type })),
    outputs: sockets.outputs.map((socket, index) =>
      definition.outputs[index]?.matches ? { ...socket, type: types.offered(node.id, index) } : socket,
    ),
  };
}

function linkedOf(network: Network, { id }: GraphNode): ReadonlySet<string> {
  return new Set(linksOf(network).flatMap((link) => (link.target === id ? [link.input] : [])));
}

function templateOf({ type, options }: InputDefinition): string | null {
  const { template } = options;
  return type === MATCH_TYPE && isObject(template) ? asString(template["template_id"]) : null;
}

function allowedBy({ options: { template } }: InputDefinition): string {
  const allowed = isObject(template) ? template["allowed_types"] : null;
  return (isArray(allowed) ? allowed.map(String).join(",") : asString(allowed)) || "*";
}

class MatchedTypes {
  private readonly document: WorkflowDocument;
  private readonly definitions: Definitions;
  private readonly known = new Map<string, string>();

  constructor(document: WorkflowDocument, definitions: Definitions) {
    this.document = document;
    this.definitions = definitions;
  }

  templatesOf(node: GraphNode): InputDefinition[] {
    const definition = definitionOf(this.document, this.definitions, node);
    if (!definition) return [];
    return expandInputs(node, definition, linkedOf(this.document, node)).filter((input) => templateOf(input) !== null);
  }

  /** A template that depends on itself adds nothing: its entry stands, empty, while it is worked out. */
  offered(id: NodeId, output: number): string {
    const node = this.document.nodes[id];
    const definition = node && definitionOf(this.document, this.definitions, node);
    const template = definition?.outputs[output]?.matches;
    if (!node || !template) {
      const type = definition?.outputs[output]?.type ?? "*";
      return type === MATCH_TYPE ? "*" : type;
    }
    const key = `${id}\u0000${template}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.known.set(key, "");
    const inputs = this.templatesOf(node).filter((input) => templateOf(input) === template);
    const allowed = inputs[0] ? allowedBy(inputs[0]) : "*";
    const names = new Set(inputs.map((input) => input.name));
    const types = linksOf(this.document)
      .filter((link) => link.target === id && names.has(link.input))
      .flatMap((link) => this.offered(link.source, link.output).split(","))
      .filter((type) => type !== "" && typesFit(type, allowed));
    const offered = [...new Set(types)].join(",") || allowed;
    this.known.set(key, offered);
    return offered;
  }
}
