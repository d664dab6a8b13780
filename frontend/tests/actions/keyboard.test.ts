import { describe, expect, test } from "vitest";
import { ACTIONS } from "../../src/actions/registry.ts";
import { actionFor, type Chord } from "../../src/actions/keyboard.ts";

const chord = (key: string, code: string, held: Partial<Chord> = {}): Chord => ({
  key,
  code,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  altKey: false,
  ...held,
});
const ctrl = { ctrlKey: true };

describe("shortcuts", () => {
  const cases: [string, Chord, string | undefined][] = [
    ["run", chord("Enter", "Enter", ctrl), "run"],
    ["run on a Mac", chord("Enter", "Enter", { metaKey: true }), "run"],
    ["run in front", chord("Enter", "Enter", { ...ctrl, shiftKey: true }), "run-front"],
    ["interrupt", chord("Enter", "Enter", { ...ctrl, altKey: true }), "interrupt"],
    ["undo", chord("z", "KeyZ", ctrl), "undo"],
    ["redo", chord("Z", "KeyZ", { ...ctrl, shiftKey: true }), "redo"],
    ["redo too", chord("y", "KeyY", ctrl), "redo"],
    ["fit", chord(".", "Period"), "fit"],
    ["zoom with a changed letter", chord("≠", "Equal", { altKey: true }), "zoom-in"],
    ["delete", chord("Backspace", "Backspace"), "delete"],
    ["a letter that means nothing", chord("j", "KeyJ"), undefined],
    ["Enter alone", chord("Enter", "Enter"), undefined],
  ];
  test.each(cases)("%s", (_, pressed, expected) => expect(actionFor(pressed, false)?.id).toBe(expected));
});

test("in a text field only those work that cannot mean text", () => {
  expect(actionFor(chord("Enter", "Enter", ctrl), true)?.id).toBe("run");
  expect(actionFor(chord("z", "KeyZ", ctrl), true)).toBeUndefined();
  expect(actionFor(chord("Backspace", "Backspace"), true)).toBeUndefined();
});

test("no shortcut means two actions", () => {
  const all = ACTIONS.flatMap((action) => action.shortcuts);
  expect(new Set(all).size).toBe(all.length);
});
