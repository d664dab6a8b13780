/** An action: something a person can do, by shortcut, menu or button. */
import type { App } from "../app.ts";

export interface Action {
  readonly id: string;
  readonly title: string;
  /** Such as "Ctrl+Shift+Z"; Ctrl is also Cmd. The first is the one that menus show. */
  readonly shortcuts: readonly string[];
  /** Whether the shortcut also works while a text field has the focus. */
  readonly worksInFields?: boolean;
  readonly isEnabled?: (app: App) => boolean;
  readonly run: (app: App) => void;
}
