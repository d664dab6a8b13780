/** Shortcuts: from a key press to the action that it means. */
import type { App } from "../app.ts";
import type { Action } from "./action.ts";
import { ACTIONS } from "./registry.ts";

export interface Chord {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly code: string;
}

export function actionFor(chord: Chord, isInField: boolean): Action | undefined {
  return ACTIONS.find((action) => {
    return (
      (!isInField || action.worksInFields === true) && action.shortcuts.some((shortcut) => matches(shortcut, chord))
    );
  });
}

export function matches(shortcut: string, chord: Chord): boolean {
  const parts = shortcut.split("+");
  const key = parts.at(-1) ?? "";
  const has = (name: string): boolean => parts.slice(0, -1).includes(name);
  if (has("Ctrl") !== (chord.ctrlKey || chord.metaKey) || has("Alt") !== chord.altKey) return false;
  if (has("Shift") !== chord.shiftKey) return false;
  // Alt and Shift change what a key types; its place on the keyboard stays.
  const typed = key.length === 1 && /[A-Z]/.test(key) ? `Key${key}` : (CODES[key] ?? key);
  return chord.key.toLowerCase() === key.toLowerCase() || chord.code === typed;
}

const CODES: { readonly [key: string]: string } = { ".": "Period", "=": "Equal", "-": "Minus" };

export function isField(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}

/** Listens for shortcuts; the answer stops it. */
export function listenToKeys(app: App): () => void {
  const onDown = (event: KeyboardEvent): void => {
    if (event.key === " " && !isField(event.target) && !(event.target instanceof HTMLButtonElement)) {
      app.gestures.current?.holdSpace(true);
      event.preventDefault();
      return;
    }
    if (event.key === "Escape") return escape(app, event);
    // Dialogs have keys of their own.
    if (event.target instanceof Element && event.target.closest("[role=dialog], [role=listbox], [role=menu]")) return;
    const action = actionFor(event, isField(event.target));
    const isTree = event.target instanceof Element && event.target.closest("[role=tree]");
    if (!action || (isTree && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    if (action.isEnabled?.(app) ?? true) action.run(app);
  };
  const onUp = (event: KeyboardEvent): void => {
    if (event.key === " ") app.gestures.current?.holdSpace(false);
    if (event.key.startsWith("Arrow")) app.editor.endGesture();
  };
  window.addEventListener("keydown", onDown);
  window.addEventListener("keyup", onUp);
  return () => {
    window.removeEventListener("keydown", onDown);
    window.removeEventListener("keyup", onUp);
  };
}

/** Ends the nearest thing: a gesture, a field, a selection. Dialogs and menus close themselves. */
function escape(app: App, event: KeyboardEvent): void {
  if (app.gestures.current?.isBusy) app.gestures.current.cancel();
  else if (isField(event.target)) (event.target as HTMLElement).blur();
  else if (app.editor.ui.getState().menu) app.editor.ui.setState({ menu: null });
  else app.editor.select([]);
}
