/** All actions. Shortcuts, menus and buttons are made from this list. */
import type { Action } from "./action.ts";
import { EDIT_ACTIONS } from "./edit_actions.ts";
import { FILE_ACTIONS } from "./file_actions.ts";
import { PLACE_ACTIONS } from "./place_actions.ts";
import { RUN_ACTIONS } from "./run_actions.ts";
import { VIEW_ACTIONS } from "./view_actions.ts";

export const ACTIONS: readonly Action[] = [
  ...RUN_ACTIONS,
  ...FILE_ACTIONS,
  ...EDIT_ACTIONS,
  ...PLACE_ACTIONS,
  ...VIEW_ACTIONS,
];

const BY_ID = new Map(ACTIONS.map((action) => [action.id, action]));

export function actionOf(id: string): Action {
  const action = BY_ID.get(id);
  if (!action) throw new Error(`There is no action “${id}”.`);
  return action;
}
