/** The composition root: makes the editor's parts, joins them, and shows them. */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { listenToKeys } from "./actions/keyboard.ts";
import { type App, AppContext, GestureHolder } from "./app.ts";
import { CanvasView } from "./canvas/view.ts";
import { newUuid } from "./graph/uuid.ts";
import { Shell } from "./panels/Shell.tsx";
import { ServerApi } from "./protocol/api.ts";
import { Database } from "./store/database.ts";
import { Drafting } from "./store/drafting.ts";
import { AutoRun } from "./store/auto_run.ts";
import { keepPreferences } from "./store/preferences.ts";
import { Drafts } from "./store/drafts.ts";
import { Editor } from "./store/editor.ts";
import { HabitStore } from "./store/habits.ts";
import { Layout } from "./store/layout.ts";
import { Queue } from "./store/queue.ts";
import { Files } from "./store/files.ts";
import { Runner } from "./store/runner.ts";
import { Saving } from "./store/saving.ts";
import { Tabs } from "./store/tabs.ts";
import { Versions } from "./store/versions.ts";
import { claimWindow } from "./store/windows.ts";
import { makeTestHandle } from "./test_handle.ts";
import { FIRST_TEMPLATE } from "./templates.ts";
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
  const view = new CanvasView(editor);
  const tabs = new Tabs(editor, view);
  const layout = new Layout();
  const database = new Database();
  const app: App = {
    editor,
    api,
    runner,
    tabs,
    files: new Files({ editor, api, layout, tabs }),
    saving: new Saving({ editor, api, tabs, versions: new Versions(database) }),
    queue: new Queue(editor, api),
    layout,
    habits: new HabitStore(),
    view,
    gestures: new GestureHolder(),
  };
  window.__heddle = makeTestHandle(app, database);
  keepPreferences(app.editor, localStorage);
  listenToKeys(app);
  const root = document.getElementById("root");
  if (!root) throw new Error("The page has no element “root”.");
  createRoot(root).render(
    <StrictMode>
      <AppContext value={app}>
        <Shell />
      </AppContext>
    </StrictMode>,
  );
  runner.watch((message) => tabs.receive(message, performance.now()));
  app.queue.start();
  app.runner.start();
  new AutoRun(app.editor, app.runner).start();
  void takeUp(app, new Drafts(database));
}

/** Opens what was open before, else the first workflow; from then on drafts are kept. */
async function takeUp({ editor, tabs, files, saving }: App, drafts: Drafts): Promise<void> {
  const drafting = new Drafting({ editor, tabs, drafts, window: await claimWindow() });
  const { open, recovered } = await drafting.restore().catch(() => ({ open: 0, recovered: 0 }));
  if (open === 0) await files.openTemplate(FIRST_TEMPLATE);
  if (recovered > 0) {
    const what = recovered === 1 ? "is a workflow that was" : `are ${recovered} workflows that were`;
    editor.toast("info", `Here ${what} not saved when the window closed.`);
  }
  drafting.start();
  saving.start();
  window.addEventListener("pagehide", () => void drafting.flush());
}

start();
