/** Changing the document: history, selection, modes, layout. */
import type { App } from "../app.ts";
import { copyNodes, pasteNodes } from "../graph/clipboard.ts";
import { addNodes, moveNodes, removeNodes, setCollapsed, setModes, setShowsAdvanced } from "../graph/commands.ts";
import { BYPASSED, linksOf, type Mode, MUTED, nodesOf, type NodeId, type Point } from "../graph/document.ts";
import { parseJson } from "../graph/json.ts";
import type { Action } from "./action.ts";
import { dropGroup, hasGroup, renameGroup } from "./place_actions.ts";

const hasSelection = ({ editor }: App): boolean => editor.selection.size > 0;

/** Sets the mode on all selected nodes, or takes it off when all have it. */
function toggleMode({ editor }: App, mode: Mode, label: string): void {
  const all = [...editor.selection].every((id) => editor.node(id)?.mode === mode);
  editor.do(setModes(editor.selection, all ? 0 : mode, label));
}

/** The selected nodes where they stand, or all of them anew. Pinned ones stay. */
async function arrangeNodes({ editor, view, layout }: App, part: ReadonlySet<NodeId>): Promise<void> {
  const { boxes } = view.scene;
  const isPart = part.size > 1;
  const chosen = isPart ? [...part] : nodesOf(editor.document).map((node) => node.id);
  const ids = chosen.filter((id) => !editor.node(id)?.pinned);
  const corner = cornerOf(ids.flatMap((id) => editor.node(id) ?? []));
  try {
    const arranged = await layout.arrange(editor.document, ids, (id) => {
      const box = boxes.get(id);
      return box ? [box.width, box.height] : [200, 100];
    });
    const first = cornerOf([...arranged.values()].map((pos) => ({ pos })));
    const [dx, dy] = isPart ? [corner[0] - first[0], corner[1] - first[1]] : [0, 0];
    const positions = new Map([...arranged].map(([id, [x, y]]) => [id, [x + dx, y + dy] as const]));
    editor.do(moveNodes(positions, "arrange"));
    if (!isPart) view.fit();
  } catch (error) {
    editor.toast("error", error instanceof Error ? error.message : String(error));
  }
}

/** The selected nodes and all that feeds them. */
function branchOf({ editor }: App): ReadonlySet<NodeId> {
  const found = new Set(editor.selection);
  const links = linksOf(editor.document);
  // A set grows while it is walked.
  for (const id of found) for (const link of links) if (link.target === id) found.add(link.source);
  return found;
}

function cornerOf(nodes: readonly { readonly pos: Point }[]): Point {
  return [Math.min(...nodes.map(({ pos }) => pos[0])), Math.min(...nodes.map(({ pos }) => pos[1]))];
}

function nudge(app: App, dx: number, dy: number): void {
  const positions = new Map<NodeId, Point>();
  for (const id of app.editor.selection) {
    const node = app.editor.node(id);
    if (node && !node.pinned) positions.set(id, [node.pos[0] + dx, node.pos[1] + dy]);
  }
  if (positions.size > 0) app.editor.do({ ...moveNodes(positions), gesture: "nudge" });
  else app.view.panBy(-dx * 4, -dy * 4);
}

const nudges = (
  [
    ["ArrowLeft", -10, 0],
    ["ArrowRight", 10, 0],
    ["ArrowUp", 0, -10],
    ["ArrowDown", 0, 10],
  ] as const
).map(([key, dx, dy]): Action => ({
  id: `nudge-${key}`,
  title: `Move selection (${key.slice(5).toLowerCase()})`,
  shortcuts: [key],
  run: (app) => nudge(app, dx, dy),
}));

const BESIDE = 40;

function duplicate(editor: App["editor"], withIncoming: boolean): void {
  const chosen = [...editor.selection].flatMap((id) => editor.node(id) ?? []);
  const [left, top] = cornerOf(chosen);
  const copied = parseJson(copyNodes(editor.document, editor.selection, editor.definitions));
  const { nodes, links, reroutes } = pasteNodes(editor.document, copied, [left + BESIDE, top + BESIDE], withIncoming);
  editor.do({ ...addNodes(nodes, links, reroutes), label: "duplicate" });
  editor.select(nodes.map((node) => node.id));
}

export const EDIT_ACTIONS: readonly Action[] = [
  {
    id: "undo",
    title: "Undo",
    shortcuts: ["Ctrl+Z"],
    isEnabled: ({ editor }) => editor.documents.getState().history.past.length > 0,
    run: ({ editor }) => editor.undo(),
  },
  {
    id: "redo",
    title: "Redo",
    shortcuts: ["Ctrl+Shift+Z", "Ctrl+Y"],
    isEnabled: ({ editor }) => editor.documents.getState().history.future.length > 0,
    run: ({ editor }) => editor.redo(),
  },
  {
    id: "select-all",
    title: "Select all",
    shortcuts: ["Ctrl+A"],
    run: ({ editor }) => editor.select(nodesOf(editor.document).map((node) => node.id)),
  },
  {
    id: "copy",
    title: "Copy",
    shortcuts: [],
    isEnabled: hasSelection,
    // Fires the copy event, which clipboard_events.ts answers.
    run: () => void document.execCommand("copy"),
  },
  {
    id: "duplicate",
    title: "Duplicate",
    shortcuts: ["Ctrl+D"],
    isEnabled: hasSelection,
    run: ({ editor }) => duplicate(editor, false),
  },
  {
    id: "duplicate-linked",
    title: "Duplicate with its incoming links",
    shortcuts: ["Ctrl+Shift+D"],
    isEnabled: hasSelection,
    run: ({ editor }) => duplicate(editor, true),
  },
  {
    id: "delete",
    title: "Delete",
    shortcuts: ["Delete", "Backspace"],
    isEnabled: (app) => hasSelection(app) || hasGroup(app),
    run: (app) => {
      const { editor } = app;
      if (hasGroup(app)) return dropGroup(app);
      editor.do(removeNodes(editor.document, editor.selection));
      editor.select([]);
    },
  },
  {
    id: "mute",
    title: "Mute",
    shortcuts: ["Ctrl+M"],
    isEnabled: hasSelection,
    run: (app) => toggleMode(app, MUTED, "mute"),
  },
  {
    id: "bypass",
    title: "Bypass",
    shortcuts: ["Ctrl+B"],
    isEnabled: hasSelection,
    run: (app) => toggleMode(app, BYPASSED, "bypass"),
  },
  {
    id: "collapse",
    title: "Collapse",
    shortcuts: ["Alt+C"],
    isEnabled: hasSelection,
    run: ({ editor }) => {
      const all = [...editor.selection].every((id) => editor.node(id)?.collapsed);
      editor.do(setCollapsed(editor.selection, !all));
    },
  },
  {
    id: "toggle-advanced",
    title: "Show or hide advanced inputs",
    shortcuts: [],
    isEnabled: hasSelection,
    run: ({ editor }) => {
      const all = [...editor.selection].every((id) => editor.node(id)?.showsAdvanced);
      editor.do(setShowsAdvanced(editor.selection, !all));
    },
  },
  {
    id: "rename",
    title: "Rename",
    shortcuts: ["F2"],
    isEnabled: (app) => app.editor.selection.size === 1 || hasGroup(app),
    run: (app) => {
      if (hasGroup(app)) renameGroup(app);
      else app.editor.ui.setState({ renaming: [...app.editor.selection][0] ?? null });
    },
  },
  {
    id: "arrange",
    title: "Arrange selection or all",
    shortcuts: ["Ctrl+Shift+F"],
    run: (app) => void arrangeNodes(app, app.editor.selection),
  },
  {
    id: "arrange-branch",
    title: "Arrange it and what feeds it",
    shortcuts: [],
    isEnabled: hasSelection,
    run: (app) => void arrangeNodes(app, branchOf(app)),
  },
  ...nudges,
];
