/** What is open, lit or said in the editor's frame: dialogs, menus, toasts, theme. Nothing that is saved with a workflow. */
import type { LinkId, NodeId, Point, RerouteId } from "../graph/document.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { PackProblem } from "../protocol/jobs.ts";
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

/** What was clicked with the right button. */
export type MenuTarget =
  | { readonly kind: "canvas" | "nodes" }
  | { readonly kind: "group"; readonly index: number }
  | { readonly kind: "link"; readonly id: LinkId; readonly part: number }
  | { readonly kind: "reroute"; readonly id: RerouteId };

export interface UiState {
  readonly connection: Connection;
  readonly toasts: readonly Toast[];
  readonly theme: "system" | "dark" | "light";
  /** Where the new node shall stand, in the world, and the socket that it shall be linked to. */
  readonly search: { readonly at: Point; readonly screen: Point; readonly from: SocketRef | null } | null;
  readonly menu: { readonly screen: Point; readonly world: Point; readonly on: MenuTarget } | null;
  readonly dialog: "open" | "save" | "conflict" | "gallery" | "profile" | null;
  /** The tab that is to be closed although it holds unsaved work. */
  readonly closing: string | null;
  readonly renaming: NodeId | null;
  readonly renamingGroup: number | null;
  /** Classic: a drag of the void pans, the wheel zooms. Standard: a drag selects, the wheel pans, Ctrl+wheel zooms. */
  readonly navigation: "classic" | "standard";
  /** Dragged nodes keep to the grid; Shift does the opposite. */
  readonly isSnapping: boolean;
  /** How many runs a press of Run asks for. */
  readonly batch: number;
  readonly runsOnChange: boolean;
  readonly linking: Linking | null;
  /** What stands at the left of the canvas. */
  readonly side: "outline" | "nodes" | "workflows" | null;
  /** Counts the times that the way to finding a node was asked for. */
  readonly finds: number;
  readonly isProblemsOpen: boolean;
  readonly isQueueOpen: boolean;
  /** Node packs that the server could not load. */
  readonly packProblems: readonly PackProblem[];
}

export const FIRST_UI: UiState = {
  connection: "connecting",
  toasts: [],
  theme: "system",
  search: null,
  menu: null,
  dialog: null,
  closing: null,
  renaming: null,
  renamingGroup: null,
  navigation: "classic",
  isSnapping: false,
  batch: 1,
  runsOnChange: false,
  linking: null,
  side: "outline",
  finds: 0,
  isProblemsOpen: false,
  isQueueOpen: false,
  packProblems: [],
};
