import { describe, expect, test } from "vitest";
import { parseInput } from "../../src/graph/definitions.ts";
import type { Json } from "../../src/graph/json.ts";
import { search } from "../../src/widgets/choices.ts";
import { clampTo, parseNumber, rangeOf, showNumber, slideOf, stepBy } from "../../src/widgets/numbers.ts";

describe("typed numbers", () => {
  const cases: [string, number | bigint | null][] = [
    ["12", 12],
    ["18446744073709551615", 18446744073709551615n],
    ["-0.5", -0.5],
    ["0,25", 0.25],
    [".5", 0.5],
    ["1e3", 1000],
    ["512*2", 1024],
    ["512 x 1.5", 768],
    ["10/4", 2.5],
    ["1/0", null],
    ["steps", null],
    ["", null],
  ];
  test.each(cases)("%s", (text, expected) => expect(parseNumber(text)).toBe(expected));
});

describe("a slider goes from end to end", () => {
  const cases: [string, { [option: string]: Json }, { min: number; max: number } | null][] = [
    ["where one is asked for", { display: "slider", min: 0, max: 2, step: 0.1 }, { min: 0, max: 2 }],
    ["also for a knob", { display: "knob", min: -1, max: 1, step: 0.1 }, { min: -1, max: 1 }],
    ["but not for a plain number", { display: "number", min: 0, max: 2, step: 0.1 }, null],
    ["nor without an end", { display: "slider", min: 0 }, null],
    ["nor without a way between them", { display: "slider", min: 1, max: 1 }, null],
    ["nor to an end that no double holds", { display: "slider", min: 0, max: 18446744073709551615n }, null],
  ];
  test.each(cases)("%s", (_, options, expected) => {
    expect(slideOf(parseInput("amount", ["FLOAT", options], true))).toEqual(expected);
  });
});

describe("numbers keep to their definition", () => {
  const cfg = rangeOf(parseInput("cfg", ["FLOAT", { min: 0, max: 100, step: 0.1, round: 0.01 }], true));
  const steps = rangeOf(parseInput("steps", ["INT", { min: 1, max: 10_000 }], true));
  test("shown", () =>
    expect([showNumber(cfg, 8), showNumber(cfg, 7.25), showNumber(cfg, 1.2345), showNumber(steps, 20)]).toEqual([
      "8.00",
      "7.25",
      "1.2345",
      "20",
    ]));
  test("stepped without crumbs", () =>
    expect([0.1, 0.2, 0.3, 5.7].map((value) => stepBy(cfg, value, 1))).toEqual([0.2, 0.3, 0.4, 5.8]));
  test("exact where a double is not", () => {
    const seed = rangeOf(parseInput("seed", ["INT", { min: 0, max: 18446744073709551615n }], true));
    expect(clampTo(seed, 18446744073709551616n)).toBe(18446744073709551615n);
    expect(stepBy(seed, 9007199254740991, 2)).toBe(9007199254740993n);
    expect(stepBy(seed, 9007199254740993n, -2)).toBe(9007199254740991);
    expect(showNumber(seed, 9007199254740993n)).toBe("9007199254740993");
  });
  test("within their range", () =>
    expect([clampTo(cfg, 400), clampTo(cfg, -1), clampTo(steps, 0), clampTo(steps, 3.6)]).toEqual([100, 0, 1, 4]));
});

test("choices: exact, then prefix, then word, then anywhere, then letters in order", () => {
  const samplers = ["dpmpp_2m_sde", "heun", "heunpp2", "exp_heun_2_x0", "theunit", "h_e_u_n"];
  expect(search(samplers, "heun", String)).toEqual(["heun", "heunpp2", "exp_heun_2_x0", "theunit", "h_e_u_n"]);
});
