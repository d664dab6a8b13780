/** New, open, save, export, and going from one open workflow to another. */
import type { Action } from "./action.ts";

export const FILE_ACTIONS: readonly Action[] = [
  { id: "new", title: "New workflow", shortcuts: ["Alt+N"], run: ({ files }) => files.new() },
  {
    id: "open",
    title: "Open…",
    shortcuts: ["Ctrl+O"],
    worksInFields: true,
    run: ({ editor }) => editor.ui.setState({ dialog: "open" }),
  },
  { id: "save", title: "Save", shortcuts: ["Ctrl+S"], worksInFields: true, run: ({ saving }) => void saving.save() },
  {
    id: "save-as",
    title: "Save as…",
    shortcuts: ["Ctrl+Shift+S"],
    worksInFields: true,
    run: ({ editor }) => editor.ui.setState({ dialog: "save" }),
  },
  {
    id: "download-workflow",
    title: "Download workflow (.json)",
    shortcuts: [],
    run: ({ saving }) => saving.downloadWorkflow(),
  },
  {
    id: "download-prompt",
    title: "Download API prompt (.json)",
    shortcuts: [],
    run: ({ saving }) => saving.downloadPrompt(),
  },
  {
    id: "close-tab",
    title: "Close the workflow",
    shortcuts: ["Alt+W"],
    run: ({ editor, tabs }) => {
      if (editor.isDirty) editor.ui.setState({ closing: tabs.active });
      else tabs.close(tabs.active);
    },
  },
  { id: "next-tab", title: "Next workflow", shortcuts: ["Alt+PageDown"], run: ({ tabs }) => tabs.step(1) },
  { id: "previous-tab", title: "Previous workflow", shortcuts: ["Alt+PageUp"], run: ({ tabs }) => tabs.step(-1) },
];
