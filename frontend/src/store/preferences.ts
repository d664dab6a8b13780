/** How a person likes the editor, kept in this browser. What is stored and cannot be read counts as never set. */
import type { Editor } from "./editor.ts";
import type { UiState } from "./ui_state.ts";

const KEY = "heddle.preferences";

type Preferences = Pick<UiState, "navigation" | "isSnapping">;

/** Takes up what is stored, and stores what is changed from now on. */
export function keepPreferences({ ui }: Pick<Editor, "ui">, storage: Pick<Storage, "getItem" | "setItem">): void {
  ui.setState(readPreferences(storage.getItem(KEY)));
  ui.subscribe(({ navigation, isSnapping }, before) => {
    if (navigation === before.navigation && isSnapping === before.isSnapping) return;
    storage.setItem(KEY, JSON.stringify({ navigation, isSnapping }));
  });
}

export function readPreferences(text: string | null): Partial<Preferences> {
  let raw: unknown = null;
  try {
    raw = JSON.parse(text ?? "null");
  } catch {
    return {};
  }
  if (typeof raw !== "object" || raw === null) return {};
  const navigation = "navigation" in raw ? raw.navigation : null;
  const isSnapping = "isSnapping" in raw ? raw.isSnapping : null;
  return {
    ...(navigation === "classic" || navigation === "standard" ? { navigation } : {}),
    ...(typeof isSnapping === "boolean" ? { isSnapping } : {}),
  };
}
