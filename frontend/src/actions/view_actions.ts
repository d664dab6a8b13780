/** Looking: fit, zoom, panels, adding by search. */
import type { App } from "../app.ts";
import { toScreen } from "../canvas/viewport.ts";
import type { UiState } from "../store/ui_state.ts";
import type { Action } from "./action.ts";

function addNode({ editor, view }: App): void {
  const at = view.middle;
  editor.openSearch(at, view.onPage(toScreen(view.viewport, at)));
}

function toggleSide({ editor }: App, wanted: NonNullable<UiState["side"]>): void {
  editor.ui.setState(({ side }) => ({ side: side === wanted ? null : wanted }));
}

export const VIEW_ACTIONS: readonly Action[] = [
  { id: "add-node", title: "Add node…", shortcuts: ["Shift+A"], run: addNode },
  {
    id: "fit",
    title: "Fit selection or all",
    shortcuts: ["."],
    run: ({ editor, view }) => view.fit(editor.selection.size > 0 ? editor.selection : undefined),
  },
  { id: "fit-all", title: "Fit all", shortcuts: ["Shift+."], run: ({ view }) => view.fit() },
  { id: "zoom-in", title: "Zoom in", shortcuts: ["Alt+="], run: ({ view }) => view.zoomBy(1.2) },
  { id: "zoom-out", title: "Zoom out", shortcuts: ["Alt+-"], run: ({ view }) => view.zoomBy(1 / 1.2) },
  {
    id: "toggle-outline",
    title: "Show or hide the outline",
    shortcuts: ["O"],
    run: (app) => toggleSide(app, "outline"),
  },
  {
    id: "find",
    title: "Find a node, value or model",
    shortcuts: ["Ctrl+F"],
    worksInFields: true,
    run: ({ editor }) => editor.ui.setState(({ finds }) => ({ side: "outline" as const, finds: finds + 1 })),
  },
  {
    id: "toggle-library",
    title: "Show or hide the node library",
    shortcuts: ["N"],
    run: (app) => toggleSide(app, "nodes"),
  },
  {
    id: "toggle-workflows",
    title: "Show or hide the workflows",
    shortcuts: ["W"],
    run: (app) => toggleSide(app, "workflows"),
  },
  {
    id: "toggle-queue",
    title: "Show or hide the queue",
    shortcuts: ["Q"],
    run: ({ editor }) => editor.ui.setState(({ isQueueOpen }) => ({ isQueueOpen: !isQueueOpen })),
  },
  {
    id: "gallery",
    title: "Gallery",
    shortcuts: ["A"],
    run: ({ editor }) => editor.ui.setState({ dialog: "gallery" }),
  },
  {
    id: "profile",
    title: "Where the time of the run went",
    shortcuts: ["Alt+Shift+P"],
    run: ({ editor }) => editor.ui.setState({ dialog: "profile" }),
  },
  {
    id: "toggle-problems",
    title: "Show or hide the problems",
    shortcuts: ["Alt+P"],
    run: ({ editor }) => editor.ui.setState(({ isProblemsOpen }) => ({ isProblemsOpen: !isProblemsOpen })),
  },
  {
    id: "toggle-navigation",
    title: "Let the wheel pan and a drag select, or not",
    shortcuts: ["Alt+V"],
    run: ({ editor }) => {
      const navigation = editor.ui.getState().navigation === "classic" ? "standard" : "classic";
      editor.ui.setState({ navigation });
      editor.toast(
        "info",
        navigation === "standard"
          ? "Standard: a drag selects, the wheel pans, Ctrl and the wheel zoom."
          : "Classic: a drag pans, the wheel zooms, Ctrl and a drag select.",
      );
    },
  },
  {
    id: "toggle-theme",
    title: "Dark or light theme",
    shortcuts: ["Alt+T"],
    run: ({ editor }) => {
      const isDark = getComputedStyle(document.documentElement).getPropertyValue("--is-dark").trim() === "1";
      editor.ui.setState({ theme: isDark ? "light" : "dark" });
    },
  },
];
