/** The open workflows in a row: which is shown, which hold unsaved work, which run. */
import { type KeyboardEvent, useEffect, useRef } from "react";
import { useStore } from "zustand";
import { useApp, useDocument, useRun } from "../app.ts";
import { actionOf } from "../actions/registry.ts";
import { isDirty } from "../store/editor.ts";
import { CloseIcon, PlusIcon } from "./icons.tsx";

interface TabProps {
  readonly id: string;
  readonly name: string;
  readonly isDirty: boolean;
  readonly isRunning: boolean;
  readonly isActive: boolean;
}

export function TabStrip() {
  const app = useApp();
  const { tabs } = app;
  const { order, parked } = useStore(tabs.state);
  const active = useDocument((state) => state.tab);
  const name = useDocument((state) => state.name);
  const isActiveDirty = useDocument(isDirty);
  const isActiveRunning = useRun((state) => state.waiting.size > 0);
  const row = useRef<HTMLDivElement>(null);
  useEffect(() => {
    row.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active]);
  return (
    <div className="tab-strip">
      <div
        ref={row}
        className="tab-row"
        role="tablist"
        tabIndex={-1}
        aria-label="Open workflows"
        onKeyDown={(event) => moveAlong(event, tabs)}
      >
        {order.map((id) => {
          const tab = parked.get(id);
          if (id === active)
            return (
              <Tab key={id} id={id} name={name} isDirty={isActiveDirty} isRunning={isActiveRunning} isActive={true} />
            );
          return (
            tab && (
              <Tab
                key={id}
                id={id}
                name={tab.state.name}
                isDirty={isDirty(tab.state)}
                isRunning={tab.run.waiting.size > 0}
                isActive={false}
              />
            )
          );
        })}
      </div>
      <button
        type="button"
        className="tool tab-new"
        aria-label="New workflow"
        title={`New workflow (${actionOf("new").shortcuts[0]})`}
        onClick={() => app.files.new()}
      >
        <PlusIcon />
      </button>
    </div>
  );
}

function Tab({ id, name, isDirty, isRunning, isActive }: TabProps) {
  const { editor, tabs } = useApp();
  const close = (): void => {
    if (isDirty) editor.ui.setState({ closing: id });
    else tabs.close(id);
  };
  const said = [name, isDirty && "not saved", isRunning && "running"].filter(Boolean).join(", ");
  return (
    <div
      className={isActive ? "tab active" : "tab"}
      role="tab"
      data-tab={id}
      aria-selected={isActive}
      aria-label={said}
      tabIndex={isActive ? 0 : -1}
      title={isDirty ? `${name}: changed since it was saved; the draft is kept in this browser` : name}
      draggable
      onDragStart={(event) => event.dataTransfer.setData(DRAGGED, id)}
      onDragOver={(event) => event.dataTransfer.types.includes(DRAGGED) && event.preventDefault()}
      onDrop={(event) => {
        const dragged = event.dataTransfer.getData(DRAGGED);
        if (dragged === "") return;
        event.preventDefault();
        tabs.move(dragged, tabs.state.getState().order.indexOf(id));
      }}
      onClick={() => tabs.activate(id)}
      onAuxClick={(event) => event.button === 1 && close()}
      onKeyDown={(event) => event.key === "Delete" && close()}
    >
      {isRunning && <i className="state-dot is-running" aria-hidden="true" />}
      <span className="tab-name">{name}</span>
      {isDirty && <span className="dirty" aria-hidden="true" />}
      <button
        type="button"
        className="tab-close"
        tabIndex={-1}
        aria-label={`Close ${name}`}
        title={isActive ? `Close (${actionOf("close-tab").shortcuts[0]})` : "Close"}
        onClick={(event) => {
          event.stopPropagation();
          close();
        }}
      >
        <CloseIcon />
      </button>
    </div>
  );
}

const DRAGGED = "application/x-heddle-tab";

function moveAlong(event: KeyboardEvent<HTMLElement>, tabs: { readonly step: (by: number) => void }): void {
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (by === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  tabs.step(by);
  const row = event.currentTarget;
  requestAnimationFrame(() => row.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
}
