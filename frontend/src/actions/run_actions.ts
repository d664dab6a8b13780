/** Running and interrupting. */
import type { Action } from "./action.ts";

export const RUN_ACTIONS: readonly Action[] = [
  {
    id: "run",
    title: "Run",
    shortcuts: ["Ctrl+Enter"],
    worksInFields: true,
    run: ({ runner }) => void runner.run(),
  },
  {
    id: "run-front",
    title: "Run before all others",
    shortcuts: ["Ctrl+Shift+Enter"],
    worksInFields: true,
    run: ({ runner }) => void runner.run(true),
  },
  {
    id: "interrupt",
    title: "Interrupt",
    shortcuts: ["Ctrl+Alt+Enter"],
    worksInFields: true,
    isEnabled: ({ editor }) => editor.runs.getState().queueRemaining > 0 || editor.runs.getState().waiting.size > 0,
    run: ({ runner }) => void runner.interrupt(),
  },
  {
    id: "refresh-definitions",
    title: "Refresh node definitions",
    shortcuts: ["R"],
    run: ({ editor, runner }) => {
      void runner.loadDefinitions().then(() => editor.toast("success", "Node definitions are up to date."));
    },
  },
];
