/** Putting things in their place: groups, lining up, pinning, the grid. */
import type { App } from "../app.ts";
import { boundingOf as frameOf, nodesInGroup } from "../canvas/dragging.ts";
import { groupTitle } from "../canvas/geometry.ts";
import { align, type Alignment, ALIGNMENTS, type Box, distribute, type Moves } from "../graph/align.ts";
import { moveNodes, removeNodes, setModes, setPinned } from "../graph/commands.ts";
import { BYPASSED, type Mode, MUTED, type NodeId, type Point } from "../graph/document.ts";
import { addGroup, type Bounding, boundingOf, editGroup, newGroup, removeGroup } from "../graph/place_commands.ts";
import type { Action } from "./action.ts";

export const hasGroup = ({ editor }: App): boolean => editor.documents.getState().group !== null;
const hasSeveral = ({ editor }: App): boolean => editor.selection.size > 1;

function boxesOf({ editor, view }: App): Box[] {
  return [...editor.selection].flatMap((id): Box[] => {
    const rect = view.scene.boxes.get(id)?.rect;
    return rect && !editor.node(id)?.pinned ? [{ id, ...rect }] : [];
  });
}

function moveBy({ editor }: App, moves: Moves, label: string): void {
  const positions = new Map<NodeId, Point>();
  for (const [id, [dx, dy]] of moves) {
    const node = editor.node(id);
    if (node && (dx !== 0 || dy !== 0)) positions.set(id, [node.pos[0] + dx, node.pos[1] + dy]);
  }
  editor.do(moveNodes(positions, label));
}

function framesOf({ view }: Pick<App, "view">, ids: Iterable<NodeId>): Bounding[] {
  return [...ids].map((id) => frameOf(view, id)).filter((frame) => frame !== undefined);
}

/** A group round the selected nodes, its name ready to be typed. */
function groupSelection({ editor, view }: App): void {
  const frames = framesOf({ view }, editor.selection);
  const bounding = boundingOf(frames, groupTitle({ saved: null }));
  if (bounding) beginGroup({ editor }, bounding);
}

export function beginGroup({ editor }: Pick<App, "editor">, bounding: readonly [number, number, number, number]): void {
  editor.do(addGroup(newGroup("Group", bounding)));
  const index = editor.document.groups.length - 1;
  editor.selectGroup(index);
  editor.ui.setState({ renamingGroup: index });
}

function withGroup(app: App, act: (index: number) => void): void {
  const { group } = app.editor.documents.getState();
  if (group !== null) act(group);
}

function fitGroup(app: App): void {
  withGroup(app, (index) => {
    const group = app.editor.document.groups[index];
    const frames = framesOf(app, nodesInGroup(app.editor, app.view, index));
    const bounding = group && boundingOf(frames, groupTitle(group));
    if (bounding) app.editor.do(editGroup(index, { bounding }));
  });
}

export function renameGroup(app: App): void {
  withGroup(app, (index) => app.editor.ui.setState({ renamingGroup: index }));
}

/** Sets the mode on all nodes of the group, or takes it off when all have it. */
function toggleModeInGroup(app: App, mode: Mode, label: string): void {
  withGroup(app, (index) => {
    const { editor, view } = app;
    const ids = nodesInGroup(editor, view, index);
    const all = ids.every((id) => editor.node(id)?.mode === mode);
    if (ids.length > 0) editor.do(setModes(ids, all ? 0 : mode, label));
  });
}

/** The selected group goes, its nodes stay. */
export function dropGroup(app: App): void {
  withGroup(app, (index) => {
    app.editor.do(removeGroup(index));
    app.editor.selectGroup(null);
  });
}

const aligning = ALIGNMENTS.map((how: Alignment): Action => ({
  id: `align-${how}`,
  title: `Align ${how}`,
  shortcuts: [],
  isEnabled: hasSeveral,
  run: (app) => moveBy(app, align(boxesOf(app), how), "align"),
}));

const distributing = (["across", "down"] as const).map((way): Action => ({
  id: `distribute-${way}`,
  title: `Distribute ${way}`,
  shortcuts: [],
  isEnabled: ({ editor }) => editor.selection.size > 2,
  run: (app) => moveBy(app, distribute(boxesOf(app), way === "across"), "distribute"),
}));

export const PLACE_ACTIONS: readonly Action[] = [
  {
    id: "group",
    title: "Group",
    shortcuts: ["Ctrl+G"],
    isEnabled: ({ editor }) => editor.selection.size > 0,
    run: groupSelection,
  },
  {
    id: "rename-group",
    title: "Rename group",
    shortcuts: [],
    isEnabled: hasGroup,
    run: renameGroup,
  },
  { id: "fit-group", title: "Fit group to its nodes", shortcuts: [], isEnabled: hasGroup, run: fitGroup },
  {
    id: "select-in-group",
    title: "Select the nodes in it",
    shortcuts: [],
    isEnabled: hasGroup,
    run: (app) => withGroup(app, (index) => app.editor.select(nodesInGroup(app.editor, app.view, index))),
  },
  {
    id: "bypass-group",
    title: "Bypass the nodes in it",
    shortcuts: [],
    isEnabled: hasGroup,
    run: (app) => toggleModeInGroup(app, BYPASSED, "bypass group"),
  },
  {
    id: "mute-group",
    title: "Mute the nodes in it",
    shortcuts: [],
    isEnabled: hasGroup,
    run: (app) => toggleModeInGroup(app, MUTED, "mute group"),
  },
  {
    id: "remove-group",
    title: "Remove group, keep its nodes",
    shortcuts: [],
    isEnabled: hasGroup,
    run: dropGroup,
  },
  {
    id: "pin",
    title: "Pin",
    shortcuts: ["P"],
    isEnabled: ({ editor }) => editor.selection.size > 0,
    run: ({ editor }) => {
      const all = [...editor.selection].every((id) => editor.node(id)?.pinned);
      editor.do(setPinned(editor.selection, !all));
    },
  },
  {
    id: "delete-apart",
    title: "Delete with its links",
    shortcuts: ["Shift+Delete"],
    isEnabled: ({ editor }) => editor.selection.size > 0,
    run: ({ editor }) => {
      editor.do(removeNodes(editor.document, editor.selection, false));
      editor.select([]);
    },
  },
  {
    id: "toggle-snap",
    title: "Keep to the grid while dragging",
    shortcuts: ["Shift+G"],
    run: ({ editor }) => {
      const isSnapping = !editor.ui.getState().isSnapping;
      editor.ui.setState({ isSnapping });
      editor.toast(
        "info",
        isSnapping ? "Drags keep to the grid; Shift frees them." : "Drags are free; Shift keeps to the grid.",
      );
    },
  },
  ...aligning,
  ...distributing,
];
