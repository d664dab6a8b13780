/** Arithmetic of number widgets: parsing, stepping, rounding to what the definition allows. Integers stay exact. */
import type { InputDefinition } from "../graph/definitions.ts";
import { asNumber, asString, integer, type Json } from "../graph/json.ts";

/** A bigint is an integer that no double holds; both compare with each other. */
export type Numeric = number | bigint;

export interface NumberRange {
  readonly min: Numeric;
  readonly max: Numeric;
  readonly step: number;
  readonly isInteger: boolean;
  /** Digits after the point that are shown. */
  readonly digits: number;
}

export function asNumeric(value: Json | undefined): Numeric | null {
  return typeof value === "bigint" ? value : asNumber(value);
}

export function rangeOf({ options, widget }: InputDefinition): NumberRange {
  const isInteger = widget === "integer";
  const step = asNumber(options["step"]) ?? (isInteger ? 1 : 0.1);
  const round = asNumber(options["round"]) ?? 0;
  const finest = round > 0 ? Math.min(round, step) : step;
  const digits = isInteger ? 0 : Math.max(1, Math.min(6, Math.ceil(-Math.log10(finest) - 1e-9)));
  return {
    min: asNumeric(options["min"]) ?? -Infinity,
    max: asNumeric(options["max"]) ?? Infinity,
    step,
    isInteger,
    digits,
  };
}

/** The ends of a slider; null for a number that asks for none, or that has no ends that one could slide between. */
export function slideOf(input: InputDefinition): { readonly min: number; readonly max: number } | null {
  if (!/^(slider|knob|gradientslider)$/.test(asString(input.options["display"]) ?? "")) return null;
  const { min, max, step } = rangeOf(input);
  if (typeof min === "bigint" || typeof max === "bigint") return null;
  return Number.isFinite(max - min) && max > min && step > 0 ? { min, max } : null;
}

/** The nearest allowed value. Typed values need not be multiples of the step. */
export function clampTo(range: NumberRange, value: Numeric): Numeric {
  const rounded = range.isInteger
    ? integer(typeof value === "bigint" ? value : Math.round(value))
    : Number(Number(value).toFixed(Math.max(range.digits, 6)));
  if (rounded < range.min) return range.min;
  return rounded > range.max ? range.max : rounded;
}

export function stepBy(range: NumberRange, value: Numeric, steps: number): Numeric {
  const by = steps * range.step;
  if (!range.isInteger) return clampTo(range, Number((Number(value) + by).toFixed(Math.max(range.digits, 3))));
  const whole = typeof value === "bigint" ? value : BigInt(Math.round(value));
  return clampTo(range, whole + BigInt(Math.round(by)));
}

/** What a person typed; null when it is no number. Accepts sums such as 512*1.5, and a comma for the point. */
export function parseNumber(text: string): Numeric | null {
  if (/^\s*-?\d+\s*$/.test(text)) return integer(BigInt(text));
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

export function showNumber(range: NumberRange, value: Numeric): string {
  if (range.isInteger || typeof value === "bigint") return String(value);
  const short = value.toFixed(range.digits);
  return Number(short) === value ? short : String(value);
}
