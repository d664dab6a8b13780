/** What is open, lit or said in the editor's frame: dialogs, menus, toasts, theme. Nothing that is saved with a workflow. */
import type { NodeId, Point } from "../graph/document.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { Connection } from "../protocol/socket.ts";

export interface Toast {
  readonly id: number;
  readonly kind: "error" | "info" | "success";
  readonly text: string;
}

/** The link that is being dragged, for lighting up the sockets that it fits. */
export interface Linking {
  readonly from: SocketRef;
  readonly type: string;
}

export interface UiState {
  readonly connection: Connection;
  readonly toasts: readonly Toast[];
  readonly theme: "system" | "dark" | "light";
  /** Where the new node shall stand, in the world, and the socket that it shall be linked to. */
  readonly search: { readonly at: Point; readonly screen: Point; readonly from: SocketRef | null } | null;
  readonly menu: { readonly screen: Point; readonly world: Point } | null;
  readonly dialog: "open" | "save" | null;
  readonly renaming: NodeId | null;
  readonly linking: Linking | null;
  readonly isOutlineOpen: boolean;
  readonly isProblemsOpen: boolean;
}

export const FIRST_UI: UiState = {
  connection: "connecting",
  toasts: [],
  theme: "system",
  search: null,
  menu: null,
  dialog: null,
  renaming: null,
  linking: null,
  isOutlineOpen: true,
  isProblemsOpen: false,
};
