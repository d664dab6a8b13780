/** The parts of the running editor, joined in main.tsx and handed to components and actions. */
import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { Gestures } from "./canvas/gestures.ts";
import type { CanvasView } from "./canvas/view.ts";
import type { ServerApi } from "./protocol/api.ts";
import type { DocumentState, Editor } from "./store/editor.ts";
import type { Files } from "./store/files.ts";
import type { HabitStore } from "./store/habits.ts";
import type { Layout } from "./store/layout.ts";
import type { Saving } from "./store/saving.ts";
import type { Tabs } from "./store/tabs.ts";
import type { Queue } from "./store/queue.ts";
import type { RunState } from "./store/run_state.ts";
import type { Runner } from "./store/runner.ts";
import type { UiState } from "./store/ui_state.ts";

export interface App {
  readonly editor: Editor;
  readonly api: ServerApi;
  readonly runner: Runner;
  readonly tabs: Tabs;
  readonly files: Files;
  readonly saving: Saving;
  readonly queue: Queue;
  readonly layout: Layout;
  readonly habits: HabitStore;
  readonly view: CanvasView;
  readonly gestures: GestureHolder;
}

/** The gestures of the canvas, for as long as it is on the page. */
export class GestureHolder {
  private held: Gestures | null = null;

  get current(): Gestures | null {
    return this.held;
  }

  set(gestures: Gestures | null): void {
    this.held = gestures;
  }
}

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (!app) throw new Error("This component stands outside the editor.");
  return app;
}

export function useDocument<T>(select: (state: DocumentState) => T): T {
  return useStore(useApp().editor.documents, select);
}

export function useRun<T>(select: (state: RunState) => T): T {
  return useStore(useApp().editor.runs, select);
}

export function useUi<T>(select: (state: UiState) => T): T {
  return useStore(useApp().editor.ui, select);
}
