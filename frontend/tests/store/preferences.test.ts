import { describe, expect, test } from "vitest";
import { Editor } from "../../src/store/editor.ts";
import { keepPreferences, readPreferences } from "../../src/store/preferences.ts";

describe("what is stored is taken, and nothing that makes no sense", () => {
  const cases: [string | null, object][] = [
    [null, {}],
    ["no JSON", {}],
    ["7", {}],
    ['{"navigation":"standard","isSnapping":true}', { navigation: "standard", isSnapping: true }],
    ['{"navigation":"sideways","isSnapping":"yes","other":1}', {}],
  ];
  test.each(cases)("%s", (text, expected) => expect(readPreferences(text)).toEqual(expected));
});

test("a changed preference is there again the next time", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
  };
  const first = new Editor();
  keepPreferences(first, storage);
  first.ui.setState({ navigation: "standard", isSnapping: true });
  const second = new Editor();
  keepPreferences(second, storage);
  expect(second.ui.getState()).toMatchObject({ navigation: "standard", isSnapping: true });
});
