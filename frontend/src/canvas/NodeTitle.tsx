/** A node's title bar: name, mode, and how its run goes. */
import { type CSSProperties, useEffect, useRef } from "react";
import { useApp, useUi } from "../app.ts";
import { rename } from "../graph/commands.ts";
import { BYPASSED, type Mode, MUTED, type NodeId } from "../graph/document.ts";
import { typeColour } from "./palette.ts";
import type { NodeRun } from "../store/run_state.ts";

interface Props {
  readonly id: NodeId;
  readonly title: string;
  readonly type: string;
  readonly mode: Mode;
  readonly color: string | null;
  /** The type that the node is chiefly about; its colour marks the title. */
  readonly mark: string;
  readonly run: NodeRun | undefined;
}

export function NodeTitle({ id, title, type, mode, color, mark, run }: Props) {
  const isRenaming = useUi((state) => state.renaming === id);
  const fraction = run && run.state === "running" && run.max > 0 ? run.value / run.max : null;
  return (
    <header
      className="node-title"
      style={color === null ? undefined : { backgroundColor: `color-mix(in srgb, ${color} 55%, var(--node-title))` }}
    >
      <i className="title-mark" style={markOf(mark)} aria-hidden="true" />
      {isRenaming ? (
        <TitleField id={id} title={title} />
      ) : (
        <h3 title={title === type ? type : `${title} (${type})`}>{title}</h3>
      )}
      {mode === MUTED && <span className="badge">muted</span>}
      {mode === BYPASSED && <span className="badge">bypassed</span>}
      {run && <RunBadge run={run} />}
      {run?.state === "running" && (
        <div
          className={fraction === null ? "progress indeterminate" : "progress"}
          role="progressbar"
          aria-label={`${title} progress`}
          aria-valuemin={0}
          aria-valuemax={run.max}
          aria-valuenow={fraction === null ? undefined : run.value}
        >
          <div style={fraction === null ? undefined : { transform: `scaleX(${fraction})` }} />
        </div>
      )}
    </header>
  );
}

/** Both themes' colours; the style sheet takes the one that holds. */
function markOf(type: string): CSSProperties & Record<"--dark" | "--light", string> {
  return { "--dark": typeColour(type, true), "--light": typeColour(type, false) };
}

function RunBadge({ run }: { readonly run: NodeRun }) {
  switch (run.state) {
    case "running":
      return run.max > 1 ? (
        <span className="badge running">{`${run.value}/${run.max}`}</span>
      ) : (
        <span className="badge running">running</span>
      );
    case "cached":
      return (
        <span
          className="badge cached"
          title="Nothing that it depends on has changed, so its last result was used again."
        >
          cached
        </span>
      );
    case "done":
      return <span className="badge done">{run.ms === null ? "done" : duration(run.ms)}</span>;
    case "error":
      return <span className="badge error">error</span>;
    case "waiting":
      return null;
  }
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

function TitleField({ id, title }: { readonly id: NodeId; readonly title: string }) {
  const { editor } = useApp();
  const field = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => field.current?.select(), []);
  const finish = (text: string | null): void => {
    if (isDone.current) return;
    isDone.current = true;
    editor.ui.setState({ renaming: null });
    if (text !== null && text !== title) editor.do(rename(id, text));
  };
  return (
    <input
      ref={field}
      className="title-field"
      aria-label="Title"
      defaultValue={title}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") finish(event.currentTarget.value);
        if (event.key === "Escape") finish(null);
      }}
    />
  );
}
