/** The bar at the top: files and history at the left, the document's name, the run at the right. */
import { useEffect, useRef, useState } from "react";
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { actionOf } from "../actions/registry.ts";
import { duration } from "../canvas/NodeTitle.tsx";
import { overallProgress, phaseOf } from "../store/run_state.ts";
import { ActionButton } from "./ActionButton.tsx";
import { useFaults } from "./Problems.tsx";
import {
  ArrangeIcon,
  DownIcon,
  FitIcon,
  GalleryIcon,
  FolderIcon,
  LibraryIcon,
  NewIcon,
  OpenIcon,
  OutlineIcon,
  PlayIcon,
  PlusIcon,
  QueueIcon,
  RedoIcon,
  RepeatIcon,
  SaveIcon,
  StopIcon,
  ThemeIcon,
  UndoIcon,
  WarningIcon,
} from "./icons.tsx";
import { useMissing } from "./MissingThings.tsx";

export function Toolbar() {
  const canUndo = useDocument((state) => state.history.past.length > 0);
  const canRedo = useDocument((state) => state.history.future.length > 0);
  const side = useUi((state) => state.side);
  return (
    <header className="toolbar" role="toolbar" aria-label="Editor">
      <span className="logo" aria-hidden="true">
        <i />
        <i />
        <i />
      </span>
      <strong className="brand">Heddle</strong>
      <span className="divider" />
      <ActionButton action="toggle-outline" isPressed={side === "outline"}>
        <OutlineIcon />
      </ActionButton>
      <ActionButton action="toggle-library" isPressed={side === "nodes"}>
        <LibraryIcon />
      </ActionButton>
      <ActionButton action="toggle-workflows" isPressed={side === "workflows"}>
        <FolderIcon />
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
      <MissingNotice />
      <QueueCount />
      <ActionButton action="gallery">
        <GalleryIcon />
      </ActionButton>
      <QueueButton />
      <InterruptButton />
      <RunOnChange />
      <BatchCount />
      <FaultCount />
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
  const { editor } = useApp();
  const count = useRun((state) => state.queueRemaining);
  const last = useRun((state) => state.last);
  const isIdle = useRun((state) => phaseOf(state) === "idle");
  if (count === 0 && isIdle && last) {
    const words = { success: "Done", error: "Failed", interrupted: "Interrupted" }[last.outcome];
    const time = last.ms === null || last.outcome !== "success" ? "" : ` in ${duration(last.ms)}`;
    return (
      <button
        type="button"
        className={`outcome ${last.outcome}`}
        data-outcome={last.outcome}
        title="Where the time of the run went"
        onClick={() => editor.ui.setState({ dialog: "profile" })}
      >
        <span role="status">
          {words}
          {time}
        </span>
      </button>
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

/** What the workflow asks for and the server lacks. */
function MissingNotice() {
  const { editor } = useApp();
  const { choices, classes } = useMissing();
  const count = choices.length + classes.length;
  if (count === 0) return null;
  return (
    <button
      type="button"
      className="pack-notice"
      title="Models and nodes that this server does not have"
      onClick={() => editor.ui.setState({ isProblemsOpen: true })}
    >
      <WarningIcon /> {count} missing
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

function RunOnChange() {
  const isOn = useUi((state) => state.runsOnChange);
  return (
    <ActionButton action="toggle-run-on-change" isPressed={isOn}>
      <RepeatIcon />
    </ActionButton>
  );
}

const LARGEST_BATCH = 99;

function BatchCount() {
  const { editor } = useApp();
  const batch = useUi((state) => state.batch);
  return (
    <label className="batch" title="How many times Run runs">
      <span aria-hidden="true">×</span>
      <input
        type="number"
        aria-label="Runs at once"
        min={1}
        max={LARGEST_BATCH}
        value={batch}
        onChange={({ currentTarget: { valueAsNumber } }) => {
          if (Number.isInteger(valueAsNumber))
            editor.ui.setState({ batch: Math.min(LARGEST_BATCH, Math.max(1, valueAsNumber)) });
        }}
      />
    </label>
  );
}

/** What the server would refuse, before it is asked. */
function FaultCount() {
  const { editor } = useApp();
  const { length } = useFaults();
  if (length === 0) return null;
  return (
    <button
      type="button"
      className="fault-count"
      title="What is wrong before anything is sent"
      aria-label={length === 1 ? "1 fault" : `${length} faults`}
      onClick={() => editor.ui.setState({ isProblemsOpen: true })}
    >
      <WarningIcon /> {length}
    </button>
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
