/** The menu of the right mouse button: the actions for what was clicked. */
import { type KeyboardEvent, useEffect, useRef } from "react";
import { type App, useApp, useUi } from "../app.ts";
import { beginGroup } from "../actions/place_actions.ts";
import { actionOf } from "../actions/registry.ts";
import { disconnect, setColor } from "../graph/commands.ts";
import { ALIGNMENTS } from "../graph/align.ts";
import { addReroute, editGroup, removeReroute } from "../graph/place_commands.ts";
import type { UiState } from "../store/ui_state.ts";
import { ColourRow } from "./ColourRow.tsx";

type Menu = NonNullable<UiState["menu"]>;

interface Item {
  readonly id: string;
  readonly title: string;
  readonly shortcut?: string | undefined;
  readonly isEnabled: boolean;
  readonly run: () => void;
}

const FOR_NODES = [
  "run-selected",
  "rename",
  "copy",
  "duplicate",
  "mute",
  "bypass",
  "collapse",
  "toggle-advanced",
  "pin",
  "group",
  "arrange-branch",
  "fit",
  "delete",
];
const FOR_SEVERAL = [...ALIGNMENTS.map((how) => `align-${how}`), "distribute-across", "distribute-down"];
const FOR_CANVAS = ["select-all", "arrange", "fit-all", "toggle-snap", "toggle-navigation", "undo", "redo"];
const FOR_GROUP = ["rename-group", "fit-group", "select-in-group", "bypass-group", "mute-group", "remove-group"];

export function ContextMenu() {
  const menu = useUi((state) => state.menu);
  return menu && <OpenMenu menu={menu} />;
}

function OpenMenu({ menu }: { readonly menu: Menu }) {
  const app = useApp();
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    root.current?.querySelector<HTMLElement>("[role=menuitem]")?.focus();
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) app.editor.ui.setState({ menu: null });
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [menu, app]);
  const close = (): void => app.editor.ui.setState({ menu: null });
  const items = itemsOf(app, menu);
  const paint = painterOf(app, menu);
  const left = Math.min(menu.screen[0], window.innerWidth - 250);
  const top = Math.max(8, Math.min(menu.screen[1], window.innerHeight - 60 - (items.length + (paint ? 1 : 0)) * 30));
  return (
    <div
      ref={root}
      className="popup menu context"
      role="menu"
      tabIndex={-1}
      aria-label="Actions"
      style={{ left, top }}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
        else moveFocus(event);
      }}
    >
      {paint && (
        <ColourRow
          onColour={(colour) => {
            close();
            paint(colour);
          }}
        />
      )}
      {items.map(({ id, title, shortcut, isEnabled, run }) => (
        <button
          key={id}
          type="button"
          role="menuitem"
          disabled={!isEnabled}
          onClick={() => {
            close();
            run();
          }}
        >
          {title}
          <kbd>{shortcut}</kbd>
        </button>
      ))}
    </div>
  );
}

function moveFocus(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("button:not(:disabled)")];
  const index = items.findIndex((item) => item === document.activeElement);
  items[(index + step + items.length) % items.length]?.focus();
}

function itemsOf(app: App, { on, world, screen }: Menu): Item[] {
  const { editor } = app;
  const item = (title: string, run: () => void): Item => ({ id: title, title, isEnabled: true, run });
  const fromActions = (ids: readonly string[]): Item[] =>
    ids.map((id) => {
      const action = actionOf(id);
      const isEnabled = action.isEnabled?.(app) ?? true;
      return { id, title: action.title, shortcut: action.shortcuts[0], isEnabled, run: () => action.run(app) };
    });
  if (on.kind === "group") return fromActions(FOR_GROUP);
  if (on.kind === "reroute") return [item("Remove reroute", () => editor.do(removeReroute(editor.document, on.id)))];
  if (on.kind === "link") {
    const add = (): void => {
      editor.do(addReroute(editor.document, on.id, on.part, [Math.round(world[0]), Math.round(world[1])]));
      editor.endGesture();
    };
    const remove = (): void => {
      const link = editor.document.links[on.id];
      if (link) editor.do(disconnect([link]));
    };
    return [item("Add reroute", add), item("Delete link", remove)];
  }
  if (editor.selection.size > 0) return fromActions([...FOR_NODES, ...(editor.selection.size > 1 ? FOR_SEVERAL : [])]);
  return [
    { ...item("Add node…", () => editor.openSearch(world, screen)), shortcut: actionOf("add-node").shortcuts[0] },
    item("Add group", () => beginGroup(app, [Math.round(world[0]), Math.round(world[1]), 480, 320])),
    ...fromActions(FOR_CANVAS),
  ];
}

/** What choosing a colour does; null where nothing has one. */
function painterOf({ editor }: App, { on }: Menu): ((colour: string | null) => void) | null {
  if (on.kind === "group") return (color) => editor.do(editGroup(on.index, { color }));
  if (on.kind === "nodes" && editor.selection.size > 0) {
    const ids = [...editor.selection];
    return (color) => editor.do(setColor(ids, color));
  }
  return null;
}
