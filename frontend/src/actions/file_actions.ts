/** New, open, save, export. */
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
  { id: "save", title: "Save", shortcuts: ["Ctrl+S"], worksInFields: true, run: ({ files }) => void files.save() },
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
    run: ({ files }) => files.downloadWorkflow(),
  },
  {
    id: "download-prompt",
    title: "Download API prompt (.json)",
    shortcuts: [],
    run: ({ files }) => files.downloadPrompt(),
  },
];
