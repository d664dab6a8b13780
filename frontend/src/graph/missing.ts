/**
 * What a workflow asks for that a server does not have: classes of nodes, and choices such as models. A file may say
 * where a model can be had (`properties.models`) and which pack a node is from.
 */
import { type GraphNode, type Network, type NodeId, nodesOf, type WorkflowDocument } from "./document.ts";
import type { Definitions } from "./definitions.ts";
import { asString, isArray, isObject, type Json, type JsonObject } from "./json.ts";
import { definitionOf } from "./sockets.ts";
import { widgetsOf } from "./widgets.ts";

export interface MissingChoice {
  /** The node in the document to show: the one itself, or the subgraph's instance that it is in. */
  readonly node: NodeId;
  /** The widget that can be given another value; null for one inside a subgraph. */
  readonly widget: string | null;
  readonly input: string;
  readonly value: string;
  readonly choices: readonly Json[];
  /** Where the file says that it can be had. */
  readonly source: { readonly url: string; readonly directory: string } | null;
}

export interface UnknownClass {
  readonly classType: string;
  readonly nodes: readonly NodeId[];
  /** The pack that the file says it is from. */
  readonly pack: string | null;
}

/** Choices whose value the server does not have; a server that offers nothing lacks it too. */
export function missingChoices(document: WorkflowDocument, definitions: Definitions): MissingChoice[] {
  return everyNode(document).flatMap(({ node, shown, isInner }) => {
    const definition = definitionOf(document, definitions, node);
    const { entries, values } = widgetsOf(node, definition);
    return entries.flatMap((entry): MissingChoice[] => {
      const { input, role, key } = entry;
      const value = values[key];
      if (role !== "value" || input.widget !== "combo" || typeof value !== "string" || value === "") return [];
      const choices = input.choices ?? [];
      if (choices.includes(value) || input.options["remote"] !== undefined || input.options["multiselect"] === true)
        return [];
      return [
        { node: shown, widget: isInner ? null : key, input: input.name, value, choices, source: sourceOf(node, value) },
      ];
    });
  });
}

export function unknownClasses(document: WorkflowDocument, definitions: Definitions): UnknownClass[] {
  const found = new Map<string, { nodes: Set<NodeId>; pack: string | null }>();
  for (const { node, shown } of everyNode(document)) {
    if (definitionOf(document, definitions, node)) continue;
    const known = found.get(node.type) ?? { nodes: new Set<NodeId>(), pack: packOf(node) };
    known.nodes.add(shown);
    found.set(node.type, known);
  }
  return [...found].map(([classType, { nodes, pack }]) => ({ classType, nodes: [...nodes], pack }));
}

interface Found {
  readonly node: GraphNode;
  readonly shown: NodeId;
  readonly isInner: boolean;
}

/** The nodes of the document and those in its subgraphs, each subgraph's once for each instance on the canvas. */
function everyNode(document: WorkflowDocument): Found[] {
  const inside = (network: Network, shown: NodeId, above: readonly string[]): Found[] =>
    nodesOf(network).flatMap((node) => {
      const subgraph = document.subgraphs[node.type];
      if (!subgraph) return [{ node, shown, isInner: true }];
      return above.includes(node.type) ? [] : inside(subgraph, shown, [...above, node.type]);
    });
  return nodesOf(document).flatMap((node): Found[] => {
    const subgraph = document.subgraphs[node.type];
    const own: Found = { node, shown: node.id, isInner: false };
    return subgraph ? [own, ...inside(subgraph, node.id, [node.type])] : [own];
  });
}

function propertiesOf({ saved }: GraphNode): JsonObject {
  const properties = saved?.["properties"];
  return isObject(properties) ? properties : {};
}

/** The file's own word, with or without the folder that a person put the model in. */
function sourceOf(node: GraphNode, value: string): MissingChoice["source"] {
  const models = propertiesOf(node)["models"];
  const bare = (path: string): string => path.split(/[\\/]/).at(-1) ?? path;
  for (const model of isArray(models) ? models.filter(isObject) : []) {
    const [name, url] = [asString(model["name"]), asString(model["url"])];
    if (name !== null && url !== null && /^https?:\/\//.test(url) && bare(name) === bare(value))
      return { url, directory: asString(model["directory"]) ?? "" };
  }
  return null;
}

function packOf(node: GraphNode): string | null {
  const properties = propertiesOf(node);
  const name = asString(properties["cnr_id"]) ?? asString(properties["aux_id"]);
  const version = asString(properties["ver"]);
  return name === null || version === null ? name : `${name} ${version}`;
}
