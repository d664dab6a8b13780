/** Arithmetic of number widgets: parsing, stepping, rounding to what the definition allows. */
import type { InputDefinition } from "../graph/definitions.ts";
import { asNumber } from "../graph/json.ts";

export interface NumberRange {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly isInteger: boolean;
  /** Digits after the point that are shown. */
  readonly digits: number;
}

export function rangeOf({ options, widget }: InputDefinition): NumberRange {
  const isInteger = widget === "integer";
  const step = asNumber(options["step"]) ?? (isInteger ? 1 : 0.1);
  const round = asNumber(options["round"]) ?? 0;
  const finest = round > 0 ? Math.min(round, step) : step;
  const digits = isInteger ? 0 : Math.max(1, Math.min(6, Math.ceil(-Math.log10(finest) - 1e-9)));
  return {
    min: asNumber(options["min"]) ?? -Infinity,
    max: asNumber(options["max"]) ?? Infinity,
    step,
    isInteger,
    digits,
  };
}

/** The nearest allowed value. Typed values need not be multiples of the step. */
export function clampTo(range: NumberRange, value: number): number {
  const rounded = range.isInteger ? Math.round(value) : Number(value.toFixed(Math.max(range.digits, 6)));
  return Math.min(range.max, Math.max(range.min, rounded));
}

export function stepBy(range: NumberRange, value: number, steps: number): number {
  const moved = value + steps * range.step;
  return clampTo(range, range.isInteger ? moved : Number(moved.toFixed(Math.max(range.digits, 3))));
}

/** What a person typed; null when it is no number. Accepts sums such as 512*1.5, and a comma for the point. */
export function parseNumber(text: string): number | null {
  const match = /^\s*(-?\d*[.,]?\d+(?:e[-+]?\d+)?)\s*(?:([-+*/x])\s*(-?\d*[.,]?\d+))?\s*$/i.exec(text);
  if (!match) return null;
  const left = Number(match[1]?.replace(",", "."));
  if (match[2] === undefined) return Number.isFinite(left) ? left : null;
  const right = Number(match[3]?.replace(",", "."));
  const result = { "+": left + right, "-": left - right, "*": left * right, x: left * right, "/": left / right }[
    match[2].toLowerCase()
  ];
  return result !== undefined && Number.isFinite(result) ? result : null;
}

export function showNumber(range: NumberRange, value: number): string {
  if (range.isInteger) return String(value);
  const short = value.toFixed(range.digits);
  return Number(short) === value ? short : String(value);
}
