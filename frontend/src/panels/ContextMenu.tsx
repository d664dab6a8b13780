/** The menu of the right mouse button: the actions for what was clicked. */
import { useEffect, useRef } from "react";
import { useApp, useUi } from "../app.ts";
import { actionOf } from "../actions/registry.ts";

const FOR_SELECTION = ["rename", "copy", "mute", "bypass", "collapse", "fit", "delete"];
const FOR_CANVAS = ["select-all", "arrange", "fit-all", "undo", "redo"];

export function ContextMenu() {
  const app = useApp();
  const menu = useUi((state) => state.menu);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!menu) return undefined;
    root.current?.querySelector("button")?.focus();
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) app.editor.ui.setState({ menu: null });
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [menu, app]);
  if (!menu) return null;
  const close = (): void => app.editor.ui.setState({ menu: null });
  const ids = app.editor.selection.size > 0 ? FOR_SELECTION : FOR_CANVAS;
  const left = Math.min(menu.screen[0], window.innerWidth - 240);
  const top = Math.min(menu.screen[1], window.innerHeight - 60 - ids.length * 30);
  return (
    <div
      ref={root}
      className="popup menu context"
      role="menu"
      tabIndex={-1}
      aria-label="Actions"
      style={{ left, top }}
      onKeyDown={(event) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (event.key === "Escape") close();
        if (step === undefined) return;
        event.preventDefault();
        const items = [...event.currentTarget.querySelectorAll<HTMLElement>("button:not(:disabled)")];
        const index = items.findIndex((item) => item === document.activeElement);
        items[(index + step + items.length) % items.length]?.focus();
      }}
    >
      {app.editor.selection.size === 0 && (
        <button
          type="button"
          role="menuitem"
          onClick={() => {
            close();
            app.editor.openSearch(menu.world, menu.screen);
          }}
        >
          Add node…
          <kbd>{actionOf("add-node").shortcuts[0]}</kbd>
        </button>
      )}
      {ids.map((id) => {
        const action = actionOf(id);
        return (
          <button
            key={id}
            type="button"
            role="menuitem"
            disabled={!(action.isEnabled?.(app) ?? true)}
            onClick={() => {
              close();
              action.run(app);
            }}
          >
            {action.title}
            <kbd>{action.shortcuts[0]}</kbd>
          </button>
        );
      })}
    </div>
  );
}
