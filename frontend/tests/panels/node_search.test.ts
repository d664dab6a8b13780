import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseObjectInfo } from "../../src/graph/definitions.ts";
import { searchNodes, socketTypes, type Wanted } from "../../src/panels/node_search.ts";
import { NO_HABITS } from "../../src/store/habits.ts";
import { TOYS } from "../graph/toy.ts";

const node = (display_name: string, extra: object = {}) => ({ display_name, input: {}, output: [], ...extra });
const NAMED = parseObjectInfo({
  Upscale: node("Upscale"),
  UpscaleBy: node("Upscale By"),
  ImageUpscale: node("Image Upscale"),
  SuperUpscaler: node("SuperUpscaler"),
  UltraPolishScaler: node("Ultra Polish Scale"),
  Old: node("Upscale Old", { deprecated: true }),
  Blur: node("Blur", { category: "image/upscale" }),
});

const names = (query: string, wanted: readonly Wanted[] = [], habits = NO_HABITS, from = NAMED): string[] =>
  searchNodes(from.values(), query, wanted, habits).map((definition) => definition.classType);

test("exact comes before prefix before word before anywhere before letters in order; what is deprecated comes last", () => {
  expect(names("upscale")).toEqual([
    "Upscale",
    "UpscaleBy",
    "ImageUpscale",
    "SuperUpscaler",
    "UltraPolishScaler",
    "Blur",
    "Old",
  ]);
});

describe("sockets filter", () => {
  const types = (...wanted: Wanted[]): string[] => names("", wanted, NO_HABITS, TOYS);
  test("by what takes a link", () => expect(types({ side: "input", type: "MASK" })).toEqual(["Encode"]));
  test("by what gives one", () => expect(types({ side: "output", type: "LATENT" })).toEqual(["Encode"]));
  test("by both", () =>
    expect(types({ side: "input", type: "IMAGE" }, { side: "output", type: "IMAGE" })).toEqual(["Blend"]));
  test("that a list offers", () => {
    expect(socketTypes(TOYS.values(), "input")).toEqual(["IMAGE", "MASK"]);
    expect(socketTypes(TOYS.values(), "output")).toEqual(["IMAGE", "LATENT", "MASK"]);
  });
});

describe("habits weigh", () => {
  test("without words: favourites, then what was used of late, the latest first", () => {
    const habits = { favourites: new Set(["SuperUpscaler"]), recents: ["ImageUpscale", "Blur"] };
    expect(names("", [], habits).slice(0, 4)).toEqual(["SuperUpscaler", "ImageUpscale", "Blur", "UltraPolishScaler"]);
  });
  test("less than the words do", () => {
    const habits = { favourites: new Set(["SuperUpscaler"]), recents: ["SuperUpscaler"] };
    expect(names("upscale", [], habits)[0]).toBe("Upscale");
  });
});

test("the order does not depend on that of the definitions", () => {
  const all = [...NAMED.values()];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(all, { minLength: all.length }),
      fc.constantFrom("", "u", "upscale", "sc"),
      (shuffled, query) => {
        expect(searchNodes(shuffled, query)).toEqual(searchNodes(all, query));
      },
    ),
  );
});
