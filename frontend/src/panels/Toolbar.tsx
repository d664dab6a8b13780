/** The bar at the top: files and history at the left, the document's name, the run at the right. */
import { useEffect, useRef, useState } from "react";
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { actionOf } from "../actions/registry.ts";
import { duration } from "../canvas/NodeTitle.tsx";
import { overallProgress, phaseOf } from "../store/run_state.ts";
import { ActionButton } from "./ActionButton.tsx";
import {
  ArrangeIcon,
  DownIcon,
  FitIcon,
  NewIcon,
  OpenIcon,
  OutlineIcon,
  PlayIcon,
  PlusIcon,
  QueueIcon,
  RedoIcon,
  SaveIcon,
  StopIcon,
  ThemeIcon,
  UndoIcon,
  WarningIcon,
} from "./icons.tsx";

export function Toolbar() {
  const canUndo = useDocument((state) => state.history.past.length > 0);
  const canRedo = useDocument((state) => state.history.future.length > 0);
  const isOutlineOpen = useUi((state) => state.isOutlineOpen);
  return (
    <header className="toolbar" role="toolbar" aria-label="Editor">
      <span className="logo" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <strong className="brand">Heddle</strong>
      <span className="divider" />
      <ActionButton action="toggle-outline" isPressed={isOutlineOpen}>
        <OutlineIcon />
      </ActionButton>
      <ActionButton action="add-node">
        <PlusIcon />
      </ActionButton>
      <span className="divider" />
      <ActionButton action="new">
        <NewIcon />
      </ActionButton>
      <ActionButton action="open">
        <OpenIcon />
      </ActionButton>
      <ActionButton action="save">
        <SaveIcon />
      </ActionButton>
      <SaveMenu />
      <span className="divider" />
      <ActionButton action="undo" isDisabled={!canUndo}>
        <UndoIcon />
      </ActionButton>
      <ActionButton action="redo" isDisabled={!canRedo}>
        <RedoIcon />
      </ActionButton>
      <span className="divider" />
      <ActionButton action="fit">
        <FitIcon />
      </ActionButton>
      <ActionButton action="arrange">
        <ArrangeIcon />
      </ActionButton>
      <ActionButton action="toggle-theme">
        <ThemeIcon />
      </ActionButton>
      <span className="spring" />
      <ConnectionStatus />
      <PackNotice />
      <QueueCount />
      <QueueButton />
      <InterruptButton />
      <RunButton />
    </header>
  );
}

function SaveMenu() {
  const app = useApp();
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    if (!isOpen) return undefined;
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [isOpen]);
  return (
    <span ref={root} className="menu-anchor">
      <button
        type="button"
        className="tool narrow"
        aria-label="More ways to save"
        aria-haspopup="menu"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        <DownIcon />
      </button>
      {isOpen && (
        <div className="popup menu" role="menu" aria-label="Save">
          {["save", "save-as", "download-workflow", "download-prompt"].map((id) => (
            <button
              key={id}
              type="button"
              role="menuitem"
              data-action={id}
              onClick={() => {
                setOpen(false);
                actionOf(id).run(app);
              }}
            >
              {actionOf(id).title}
              <kbd>{actionOf(id).shortcuts[0]}</kbd>
            </button>
          ))}
        </div>
      )}
    </span>
  );
}

function ConnectionStatus() {
  const connection = useUi((state) => state.connection);
  const hasDefinitions = useDocument((state) => state.hasDefinitions);
  const [state, text] =
    connection !== "open"
      ? connection === "connecting"
        ? ["waiting", "connecting"]
        : ["lost", "no connection"]
      : hasDefinitions
        ? ["good", "connected"]
        : ["waiting", "loading nodes"];
  return (
    <span className={`connection ${state}`} role="status" data-connection={state} title={`Server: ${text}`}>
      <i aria-hidden="true" />
      <span className={state === "good" ? "quiet" : ""}>{text}</span>
    </span>
  );
}

function QueueCount() {
  const count = useRun((state) => state.queueRemaining);
  const last = useRun((state) => state.last);
  const isIdle = useRun((state) => phaseOf(state) === "idle");
  if (count === 0 && isIdle && last) {
    const words = { success: "Done", error: "Failed", interrupted: "Interrupted" }[last.outcome];
    const time = last.ms === null || last.outcome !== "success" ? "" : ` in ${duration(last.ms)}`;
    return (
      <span className={`outcome ${last.outcome}`} role="status" data-outcome={last.outcome}>
        {words}
        {time}
      </span>
    );
  }
  return (
    <span className="queue-count" hidden={count === 0} title={`${count} in the queue`} data-queue={count}>
      {count} queued
    </span>
  );
}

function QueueButton() {
  const isOpen = useUi((state) => state.isQueueOpen);
  return (
    <ActionButton action="toggle-queue" isPressed={isOpen}>
      <QueueIcon />
    </ActionButton>
  );
}

/** Node packs that were not loaded: seen, and explained where problems are. */
function PackNotice() {
  const { editor } = useApp();
  const count = useUi((state) => state.packProblems.length);
  if (count === 0) return null;
  const words = count === 1 ? "1 pack failed" : `${count} packs failed`;
  return (
    <button type="button" className="pack-notice" onClick={() => editor.ui.setState({ isProblemsOpen: true })}>
      <WarningIcon /> {words}
    </button>
  );
}

function InterruptButton() {
  const isActive = useRun((state) => state.queueRemaining > 0 || state.waiting.size > 0);
  return (
    <ActionButton action="interrupt" isDisabled={!isActive} className="tool interrupt">
      <StopIcon />
    </ActionButton>
  );
}

function RunButton() {
  const progress = useRun(overallProgress);
  const phase = useRun(phaseOf);
  const words = {
    idle: "Run",
    queued: "Queued",
    running: progress === null ? "Running" : `${Math.round(progress * 100)} %`,
  }[phase];
  return (
    <ActionButton action="run" className={`run ${phase}`}>
      {progress !== null && <span className="run-fill" style={{ transform: `scaleX(${progress})` }} />}
      <PlayIcon />
      <span className="run-words">{words}</span>
    </ActionButton>
  );
}
