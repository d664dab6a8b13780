/** The editor's frame: toolbar, outline, canvas, problems, and what opens above them. */
import { lazy, Suspense, useEffect } from "react";
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { CanvasHost } from "../canvas/CanvasHost.tsx";
import { overallProgress } from "../store/run_state.ts";
import { ContextMenu } from "./ContextMenu.tsx";
import { OpenDialog } from "./OpenDialog.tsx";
import { Outline } from "./Outline.tsx";
import { Problems } from "./Problems.tsx";
import { CloseDialog } from "./CloseDialog.tsx";
import { ConflictDialog } from "./ConflictDialog.tsx";
import { SaveDialog } from "./SaveDialog.tsx";
import { TabStrip } from "./TabStrip.tsx";
import { SearchDialog } from "./SearchDialog.tsx";
import { Toasts } from "./Toasts.tsx";
import { Toolbar } from "./Toolbar.tsx";
import { ZoomControls } from "./ZoomControls.tsx";

// What is not open at the start is not loaded at the start.
const QueuePanel = lazy(() => import("./QueuePanel.tsx"));
const Gallery = lazy(() => import("./Gallery.tsx"));
const RunProfile = lazy(() => import("./RunProfile.tsx"));
const NodeLibrary = lazy(() => import("./NodeLibrary.tsx"));
const WorkflowsPanel = lazy(() => import("./WorkflowsPanel.tsx"));

export function Shell() {
  const { editor } = useApp();
  const side = useUi((state) => state.side);
  const isQueueOpen = useUi((state) => state.isQueueOpen);
  const dialog = useUi((state) => state.dialog);
  const isEmpty = useDocument((state) => Object.keys(state.history.document.nodes).length === 0);
  const closeDialog = (): void => editor.ui.setState({ dialog: null });
  usePageTitle();
  useTheme();
  return (
    <>
      <Toolbar />
      <TabStrip />
      <main className="workspace">
        {side === "outline" && <Outline />}
        <Suspense fallback={<div className="outline" aria-busy="true" />}>
          {side === "nodes" && <NodeLibrary />}
          {side === "workflows" && <WorkflowsPanel />}
        </Suspense>
        <div className="stage">
          <CanvasHost />
          {isEmpty && <p className="invitation">Double-click to add a node, or drop a workflow or a picture here.</p>}
          <ZoomControls />
          <Toasts />
          <Problems />
        </div>
        <Suspense fallback={<div className="queue" aria-busy="true" />}>{isQueueOpen && <QueuePanel />}</Suspense>
      </main>
      <SearchDialog />
      <ContextMenu />
      {dialog === "open" && <OpenDialog onClose={closeDialog} />}
      {dialog === "save" && <SaveDialog onClose={closeDialog} />}
      {dialog === "conflict" && <ConflictDialog onClose={closeDialog} />}
      <Suspense fallback={null}>
        {dialog === "gallery" && <Gallery onClose={closeDialog} />}
        {dialog === "profile" && <RunProfile onClose={closeDialog} />}
      </Suspense>
      <CloseDialog />
    </>
  );
}

function usePageTitle(): void {
  const name = useDocument((state) => state.name);
  const isDirty = useDocument((state) => state.history.document !== state.clean);
  const progress = useRun(overallProgress);
  useEffect(() => {
    const part = progress === null ? (isDirty ? "● " : "") : `[${Math.round(progress * 100)} %] `;
    document.title = `${part}${name} · Heddle`;
  }, [name, isDirty, progress]);
}

const THEME_KEY = "heddle.theme";

function useTheme(): void {
  const { editor, view } = useApp();
  const theme = useUi((state) => state.theme);
  useEffect(() => {
    const known = localStorage.getItem(THEME_KEY);
    if (known === "dark" || known === "light") editor.ui.setState({ theme: known });
    const media = window.matchMedia("(prefers-color-scheme: dark)");
    const follow = (): void => view.retheme();
    media.addEventListener("change", follow);
    return () => media.removeEventListener("change", follow);
  }, [editor, view]);
  useEffect(() => {
    document.documentElement.dataset["theme"] = theme;
    if (theme !== "system") localStorage.setItem(THEME_KEY, theme);
    view.retheme();
  }, [theme, view]);
}
