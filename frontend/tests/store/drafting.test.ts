import { describe, expect, test } from "vitest";
import { EMPTY_DOCUMENT } from "../../src/graph/document.ts";
import { shareOf } from "../../src/store/drafting.ts";
import type { Draft } from "../../src/store/drafts.ts";
import { baseName, pathOf } from "../../src/store/file_names.ts";

const draft = (id: string, window: string, savedAt: number, isDirty = false): Draft => ({
  id,
  window,
  place: savedAt,
  name: id,
  stored: null,
  storedVersion: null,
  isDirty,
  promptId: null,
  savedAt,
  document: EMPTY_DOCUMENT,
});
const ids = (drafts: readonly Draft[]): string[] => drafts.map(({ id }) => id);
const ALL = [
  draft("mine", "me", 9),
  draft("theirs", "open", 8, true),
  draft("old and saved", "gone", 1),
  draft("old and not saved", "gone", 2, true),
  draft("last", "closed", 7),
];

describe("a window takes over", () => {
  test("its own after a reload, and unsaved work of windows that are gone", () => {
    const { own, left } = shareOf(ALL, "me", new Set(["me", "open"]));
    expect([ids(own), ids(left)]).toEqual([["mine"], ["old and not saved"]]);
  });
  test("all of the last window that is gone, when it is new itself", () => {
    const { own, left } = shareOf(ALL, "new", new Set(["new", "open", "me"]));
    expect([ids(own), ids(left)]).toEqual([[], ["old and not saved", "last"]]);
  });
  test("a copy of the last one where the browser cannot tell which are open", () => {
    const { own, left } = shareOf(ALL, "new", null);
    expect([ids(own), left.map(({ name }) => name)]).toEqual([[], ["mine"]]);
    expect(left[0]?.id).not.toBe("mine");
  });
});

describe("names", () => {
  const paths: [string, string | null][] = [
    ["lighthouse", "lighthouse.json"],
    [" a/ b.json", "a/b.json"],
    ["", null],
    ["a//b", null],
    ["../a", null],
    [".hidden", null],
  ];
  test.each(paths)("“%s” is stored as %s", (name, path) => expect(pathOf(name)).toBe(path));
  test("of a file is without its folder and its kind", () => expect(baseName("a/b/night.v2.json")).toBe("night.v2"));
});
