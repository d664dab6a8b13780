/** Whether an output may be linked to an input, and if not, why: one sentence for the person who tries. */
import type { LinkEnds } from "./commands.ts";
import { type LinkId, type Network, type NodeId, linksOf } from "./document.ts";
import type { InputSocket, OutputSocket, Sockets } from "./sockets.ts";
import { typesFit } from "./types.ts";

export interface SocketRef {
  readonly node: NodeId;
  readonly side: "input" | "output";
  readonly index: number;
}

export type Verdict = { readonly ok: true } | { readonly ok: false; readonly reason: string };

const OK: Verdict = { ok: true };
const no = (reason: string): Verdict => ({ ok: false, reason });

export function canConnect(
  network: Network,
  source: { readonly node: NodeId; readonly socket: OutputSocket },
  target: { readonly node: NodeId; readonly socket: InputSocket },
): Verdict {
  if (source.node === target.node) return no("A node cannot feed itself.");
  if (!typesFit(source.socket.type, target.socket.type)) {
    return no(`${source.socket.type} does not fit “${target.socket.label}”, which takes ${target.socket.type}.`);
  }
  if (reaches(network, target.node, source.node)) return no("This link would close a cycle.");
  return OK;
}

/** Whether `to` depends on `from`. */
export function reaches(network: Network, from: NodeId, to: NodeId): boolean {
  const next = new Map<NodeId, NodeId[]>();
  for (const link of linksOf(network)) next.set(link.source, [...(next.get(link.source) ?? []), link.target]);
  const seen = new Set<NodeId>([from]);
  const open = [from];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (node === to) return true;
    for (const target of next.get(node) ?? []) {
      if (!seen.has(target)) open.push(target);
      seen.add(target);
    }
  }
  return false;
}

/** The input that a link dropped on a node should take: a free one that fits best, those for links before widgets. */
export function bestInput(sockets: Sockets, type: string, linked: ReadonlySet<string>): InputSocket | undefined {
  const fitting = sockets.inputs.filter((input) => typesFit(type, input.type));
  const score = (input: InputSocket): number =>
    (linked.has(input.name) ? 4 : 0) + (input.widget === null ? 0 : 2) + (input.type === type ? 0 : 1);
  return fitting.toSorted((a, b) => score(a) - score(b))[0];
}

export function bestOutput(sockets: Sockets, type: string): number {
  const exact = sockets.outputs.findIndex((output) => output.type === type);
  return exact >= 0 ? exact : sockets.outputs.findIndex((output) => typesFit(output.type, type));
}

/** How a node goes into a link: the link's source feeds it, and it feeds the link's target. */
export interface Insertion {
  readonly link: LinkId;
  readonly into: LinkEnds;
  readonly from: LinkEnds;
}

/** Null unless the node has a free input and a free output that fit, and is not linked round the link already. */
export function insertionInto(network: Network, id: LinkId, node: NodeId, sockets: Sockets): Insertion | null {
  const link = network.links[id];
  if (!link || link.source === node || link.target === node) return null;
  const linked = new Set(linksOf(network).flatMap((other) => (other.target === node ? [other.input] : [])));
  const isFree = (input: InputSocket): boolean => !linked.has(input.name) && input.widget === null;
  const input =
    sockets.inputs.find((candidate) => isFree(candidate) && candidate.type === link.type) ??
    sockets.inputs.find((candidate) => isFree(candidate) && typesFit(link.type, candidate.type));
  const output = bestOutput(sockets, link.type);
  const isUsed = linksOf(network).some((other) => other.source === node && other.output === output);
  if (!input || output < 0 || isUsed) return null;
  if (reaches(network, node, link.source) || reaches(network, link.target, node)) return null;
  const { source, target, type } = link;
  return {
    link: id,
    into: { source, output: link.output, target: node, input: input.name, type },
    from: { source: node, output, target, input: link.input, type },
  };
}
