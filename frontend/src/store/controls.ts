/**
 * What a seed does at a run. The new value is drawn before the prompt is sent, so the value shown is the value used;
 * the values that were sent are remembered, so that a good one can be had again.
 */
import { type NodeId, type WorkflowDocument, linkInto, nodesOf } from "../graph/document.ts";
import type { Definitions, InputDefinition } from "../graph/definitions.ts";
import { asNumber, integer, type Json } from "../graph/json.ts";
import { definitionOf } from "../graph/sockets.ts";
import { type WidgetEntry, widgetsOf } from "../graph/widgets.ts";

export interface ControlledValue {
  readonly node: NodeId;
  readonly widget: string;
  readonly value: Json;
}

export type LastUsed = ReadonlyMap<string, Json>;

export const controlKey = (node: NodeId, widget: string): string => `${node}\u0000${widget}`;

const LARGEST_DRAWN = 2 ** 50 - 1;

/** All values under a control, as they stand. */
export function controlledValues(document: WorkflowDocument, definitions: Definitions): ControlledValue[] {
  return eachControl(document, definitions, (node, entry, values) => {
    const value = values[entry.input.name];
    return value === undefined ? [] : [{ node, widget: entry.input.name, value }];
  });
}

/** The values that a run about to start must have; only those that change. `random` is in [0, 1). */
export function drawValues(
  document: WorkflowDocument,
  definitions: Definitions,
  lastUsed: LastUsed,
  random: () => number,
): ControlledValue[] {
  return eachControl(document, definitions, (node, entry, values) => {
    const widget = entry.input.name;
    const before = values[widget];
    const control = values[entry.key];
    if (before === undefined || linkInto(document, node, widget)) return [];
    const wasUsed = lastUsed.get(controlKey(node, widget)) === before;
    const value = draw(entry.input, before, control, wasUsed, random);
    return value === before ? [] : [{ node, widget, value }];
  });
}

function eachControl(
  document: WorkflowDocument,
  definitions: Definitions,
  visit: (node: NodeId, entry: WidgetEntry, values: { readonly [key: string]: Json }) => ControlledValue[],
): ControlledValue[] {
  return nodesOf(document).flatMap((node) => {
    const { entries, values } = widgetsOf(node, definitionOf(document, definitions, node));
    return entries.filter((entry) => entry.role === "control").flatMap((entry) => visit(node.id, entry, values));
  });
}

/** A value typed by hand is used once as it is before it counts on. */
function draw(
  input: InputDefinition,
  before: Json,
  control: Json | undefined,
  wasUsed: boolean,
  random: () => number,
): Json {
  if (control === "fixed") return before;
  if (control !== "randomize" && !wasUsed) return before;
  if (input.widget === "combo") return drawChoice(input.choices ?? [], before, control, random);
  if (typeof before !== "number" && typeof before !== "bigint") return before;
  const step = asNumber(input.options["step"]) ?? 1;
  if (control !== "randomize") return count(input, before, control === "decrement" ? -step : step);
  const min = Math.max(asNumber(input.options["min"]) ?? 0, -LARGEST_DRAWN);
  const max = Math.min(asNumber(input.options["max"]) ?? LARGEST_DRAWN, LARGEST_DRAWN);
  return min + Math.floor(random() * ((max - min) / step + 1)) * step;
}

/** The next value, exact however large, within the input's bounds. */
function count({ options, widget }: InputDefinition, before: number | bigint, by: number): number | bigint {
  if (widget !== "integer") {
    const [min, max] = [asNumber(options["min"]) ?? 0, asNumber(options["max"]) ?? LARGEST_DRAWN];
    return Math.min(max, Math.max(min, Number(before) + by));
  }
  const next = integer(BigInt(before) + BigInt(Math.round(by)));
  const { min = 0, max } = options;
  if ((typeof min === "number" || typeof min === "bigint") && next < min) return min;
  return (typeof max === "number" || typeof max === "bigint") && next > max ? max : next;
}

function drawChoice(choices: readonly Json[], before: Json, control: Json | undefined, random: () => number): Json {
  if (choices.length === 0) return before;
  if (control === "randomize") return choices[Math.floor(random() * choices.length)] ?? before;
  const next = choices.indexOf(before) + (control === "decrement" ? -1 : 1);
  if (control === "increment-wrap") return choices[next % choices.length] ?? before;
  return choices[Math.min(choices.length - 1, Math.max(0, next))] ?? before;
}
