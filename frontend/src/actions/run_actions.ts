/** Running and interrupting. */
import type { Action } from "./action.ts";

export const RUN_ACTIONS: readonly Action[] = [
  {
    id: "run",
    title: "Run",
    shortcuts: ["Ctrl+Enter"],
    worksInFields: true,
    run: ({ runner }) => void runner.runBatch(),
  },
  {
    id: "run-front",
    title: "Run before all others",
    shortcuts: ["Ctrl+Shift+Enter"],
    worksInFields: true,
    run: ({ runner }) => void runner.runBatch(true),
  },
  {
    id: "run-selected",
    title: "Run only to here",
    shortcuts: ["Alt+Enter"],
    isEnabled: ({ editor }) => editor.selection.size > 0,
    run: ({ editor, runner }) => void runner.run({ only: editor.selection }),
  },
  {
    id: "toggle-run-on-change",
    title: "Run whenever something changes",
    shortcuts: ["Alt+Shift+Enter"],
    run: ({ editor }) => editor.ui.setState(({ runsOnChange }) => ({ runsOnChange: !runsOnChange })),
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
