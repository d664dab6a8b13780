/** Which node types a search offers: matching the text, and, for a dragged link, able to take it. Best first. */
import type { NodeDefinition } from "../graph/definitions.ts";
import { typesFit } from "../graph/types.ts";
import { rank } from "../widgets/choices.ts";

export interface Wanted {
  /** Which side the new node's socket has to be on. */
  readonly side: "input" | "output";
  readonly type: string;
}

export function searchNodes(
  definitions: Iterable<NodeDefinition>,
  query: string,
  wanted: Wanted | null,
): NodeDefinition[] {
  const found: { definition: NodeDefinition; score: number }[] = [];
  for (const definition of definitions) {
    const fit = wanted ? fitOf(definition, wanted) : 0;
    const name = rank(definition.displayName, query);
    const type = rank(definition.classType, query);
    const category = query.length > 1 && definition.category.toLowerCase().includes(query.toLowerCase()) ? 4.5 : null;
    const scores = [name, type, category].filter((score) => score !== null);
    if (fit === null || scores.length === 0) continue;
    found.push({ definition, score: Math.min(...scores) * 10 + fit + (definition.isDeprecated ? 50 : 0) });
  }
  const nameOf = ({ definition }: { definition: NodeDefinition }): string => definition.displayName;
  return found
    .toSorted((a, b) => a.score - b.score || nameOf(a).localeCompare(nameOf(b)))
    .map(({ definition }) => definition);
}

/** 0 for a socket of exactly this type, 2 for one that takes it too, null for none. */
function fitOf(definition: NodeDefinition, { side, type }: Wanted): number | null {
  const sockets =
    side === "input" ? definition.inputs.filter((input) => input.options["socketless"] !== true) : definition.outputs;
  if (sockets.some((socket) => socket.type === type)) return 0;
  const fits = sockets.some((socket) => (side === "input" ? typesFit(type, socket.type) : typesFit(socket.type, type)));
  return fits ? 2 : null;
}
