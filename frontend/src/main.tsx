/** The composition root: makes the editor's parts, joins them, and shows them. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { listenToKeys } from "./actions/keyboard.ts";
import { type App, AppContext, GestureHolder } from "./app.ts";
import { CanvasView } from "./canvas/view.ts";
import { newUuid } from "./graph/uuid.ts";
import { Shell } from "./panels/Shell.tsx";
import { ServerApi } from "./protocol/api.ts";
import { Drafts } from "./store/drafts.ts";
import { Editor } from "./store/editor.ts";
import { Layout } from "./store/layout.ts";
import { Queue } from "./store/queue.ts";
import { Files } from "./store/files.ts";
import { Runner } from "./store/runner.ts";
import { makeTestHandle } from "./test_handle.ts";
import defaultWorkflow from "../../workflows/text_to_image.json";
import "./styles/index.css";

/** An id of this browser tab that survives its reloads. */
function tabId(key: string): string {
  const known = sessionStorage.getItem(key) ?? newUuid();
  sessionStorage.setItem(key, known);
  return known;
}

function start(): void {
  const editor = new Editor();
  const api = new ServerApi(document.baseURI, tabId("heddle.client"));
  const runner = new Runner(editor, api);
  const layout = new Layout();
  const files = new Files({ editor, api, runner, layout, drafts: new Drafts(), draftId: tabId("heddle.draft") });
  const queue = new Queue(editor, api);
  const app: App = {
    editor,
    api,
    runner,
    files,
    queue,
    layout,
    view: new CanvasView(editor),
    gestures: new GestureHolder(),
  };
  window.__heddle = makeTestHandle(app);
  listenToKeys(app);
  window.addEventListener("pagehide", () => void files.saveDraft());
  const root = document.getElementById("root");
  if (!root) throw new Error("The page has no element “root”.");
  createRoot(root).render(
    <StrictMode>
      <AppContext value={app}>
        <Shell />
      </AppContext>
    </StrictMode>,
  );
  queue.start();
  runner.start();
  void files.restore(defaultWorkflow);
}

start();
