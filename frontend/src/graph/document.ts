/**
 * The document that the editor edits: nodes, links, reroutes, groups. Plain immutable data, no behaviour.
 *
 * Invariant: whatever a file held is kept in `saved`, at every level, so that writing a document
 * that nobody changed gives the same file, unknown keys included. A link names the input of its
 * target by name and the output of its source by index, as the prompt does; a file's socket
 * indices are worked out again when it is written.
 */
import type { Json, JsonObject } from "./json.ts";

declare const nodeIdBrand: unique symbol;
declare const linkIdBrand: unique symbol;
declare const rerouteIdBrand: unique symbol;
export type NodeId = string & { readonly [nodeIdBrand]: true };
export type LinkId = number & { readonly [linkIdBrand]: true };

export type RerouteId = number & { readonly [rerouteIdBrand]: true };

export const nodeId = (value: string | number): NodeId => String(value) as NodeId;
export const linkId = (value: number): LinkId => value as LinkId;
export const rerouteId = (value: number): RerouteId => value as RerouteId;

export type Point = readonly [x: number, y: number];

/** 0 always; 2 muted; 4 bypassed. 1 and 3 are of old files and run as 0. */
export type Mode = 0 | 1 | 2 | 3 | 4;
export const MUTED: Mode = 2;
export const BYPASSED: Mode = 4;

/** An input as a file lists it; the definition adds what the file leaves out (sockets.ts). */
export interface SavedInput {
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
  readonly widget: string | null;
  readonly saved: JsonObject | null;
}

export interface SavedOutput {
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
  readonly saved: JsonObject | null;
}

export interface GraphNode {
  readonly id: NodeId;
  readonly type: string;
  readonly title: string | null;
  readonly pos: Point;
  readonly size: Point;
  readonly mode: Mode;
  readonly collapsed: boolean;
  readonly pinned: boolean;
  /** Whether inputs that the definition calls advanced are shown without being used. */
  readonly showsAdvanced: boolean;
  readonly color: string | null;
  readonly inputs: readonly SavedInput[];
  readonly outputs: readonly SavedOutput[];
  /** Widget values set since the file was read, by name. They win over those of `saved`. */
  readonly values: { readonly [widget: string]: Json };
  /** The file's widget values where it gives their names. */
  readonly named: JsonObject | null;
  readonly saved: JsonObject | null;
}

export interface Link {
  readonly id: LinkId;
  readonly source: NodeId;
  readonly output: number;
  readonly target: NodeId;
  readonly input: string;
  readonly type: string;
  /** The reroute nearest to its target; from there `parent` leads to the source. Runs know nothing of it. */
  readonly via: RerouteId | null;
  readonly saved: Json;
}

/** A point that links pass through. Links that share one are drawn as one up to there. */
export interface Reroute {
  readonly id: RerouteId;
  readonly parent: RerouteId | null;
  readonly pos: Point;
  readonly saved: JsonObject | null;
}

export interface Network {
  readonly nodes: { readonly [id: NodeId]: GraphNode };
  readonly links: { readonly [id: LinkId]: Link };
}

export interface Group {
  readonly title: string;
  readonly bounding: readonly [x: number, y: number, width: number, height: number];
  readonly color: string | null;
  readonly saved: JsonObject | null;
}

export interface RailSocket {
  readonly name: string;
  readonly type: string;
  readonly label: string | null;
}

/** A subgraph's definition. The first cut shows and runs it but does not edit it. */
export interface Subgraph extends Network {
  readonly id: string;
  readonly name: string;
  readonly inputs: readonly RailSocket[];
  readonly outputs: readonly RailSocket[];
}

export interface WorkflowDocument extends Network {
  readonly groups: readonly Group[];
  readonly reroutes: { readonly [id: RerouteId]: Reroute };
  readonly subgraphs: { readonly [id: string]: Subgraph };
  /** The file's root without nodes, links and groups; null for a document made here. */
  readonly saved: JsonObject | null;
  /** The order in which the file listed nodes and links. What is newer follows. */
  readonly order: { readonly nodes: readonly NodeId[]; readonly links: readonly LinkId[] };
}

/** The rails of a subgraph stand as nodes with these ids at the ends of its links. */
export const INPUT_RAIL = nodeId(-10);
export const OUTPUT_RAIL = nodeId(-20);

export const EMPTY_DOCUMENT: WorkflowDocument = {
  nodes: {},
  links: {},
  groups: [],
  reroutes: {},
  subgraphs: {},
  saved: null,
  order: { nodes: [], links: [] },
};

export function nodesOf(network: Network): GraphNode[] {
  return Object.values(network.nodes);
}

export function linksOf(network: Network): Link[] {
  return Object.values(network.links);
}

export function linkInto(network: Network, target: NodeId, input: string): Link | undefined {
  return linksOf(network).find((link) => link.target === target && link.input === input);
}

/** The reroutes that a link passes, from its source to its target. Files may hold circles; each is passed once. */
export function reroutesOf({ reroutes }: Pick<WorkflowDocument, "reroutes">, link: Pick<Link, "via">): Reroute[] {
  const passed: Reroute[] = [];
  for (let id = link.via; id !== null;) {
    const reroute: Reroute | undefined = reroutes[id];
    if (!reroute || passed.includes(reroute)) break;
    passed.push(reroute);
    id = reroute.parent;
  }
  return passed.toReversed();
}
