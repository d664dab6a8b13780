/** The queue: what runs, what waits, what has ended, with its pictures and what was different about it. */
import { useStore } from "zustand";
import { useApp, useRun } from "../app.ts";
import { duration } from "../canvas/NodeTitle.tsx";
import { differences, type Job, picturesOf } from "../protocol/jobs.ts";
import { overallProgress } from "../store/run_state.ts";
import { CloseIcon, PauseIcon, PlayIcon } from "./icons.tsx";

const WORDS = {
  running: "Running",
  pending: "Waiting",
  success: "Done",
  error: "Failed",
  interrupted: "Interrupted",
} as const;

const MOST_DIFFERENCES = 3;
/** The kind of what is dragged; dropping it elsewhere means nothing. */
const DRAGGED = "application/x-heddle-job";

export default function QueuePanel() {
  const { editor, queue } = useApp();
  const { jobs, isLoaded, isPaused } = useStore(queue.state);
  const alive = jobs.filter((job) => job.state === "running" || job.state === "pending");
  const ended = jobs.filter((job) => job.state !== "running" && job.state !== "pending");
  const waiting = alive.filter((job) => job.state === "pending").length;
  return (
    <aside className="queue" aria-label="Queue">
      <header>
        <h2>Queue</h2>
        {isPaused && <span className="badge paused">paused</span>}
        <button
          type="button"
          className="tool"
          aria-label={isPaused ? "Let the queue go on" : "Pause the queue after what runs"}
          title={isPaused ? "Let the queue go on" : "Pause the queue after what runs"}
          aria-pressed={isPaused}
          onClick={() => void queue.pause(!isPaused)}
        >
          {isPaused ? <PlayIcon /> : <PauseIcon />}
        </button>
        <button
          type="button"
          className="tool"
          aria-label="Close the queue"
          onClick={() => editor.ui.setState({ isQueueOpen: false })}
        >
          <CloseIcon />
        </button>
      </header>
      <div className="queue-list" data-scrolls>
        {alive.map((job) => (
          <JobItem key={job.id} job={job} before={beforeOf(jobs, job)} />
        ))}
        {waiting > 1 && (
          <button type="button" className="text-button" onClick={() => void queue.clearPending()}>
            Cancel all that wait
          </button>
        )}
        {ended.length > 0 && <h3>Before</h3>}
        {ended.map((job) => (
          <JobItem key={job.id} job={job} before={beforeOf(jobs, job)} />
        ))}
        {ended.length > 0 && (
          <button type="button" className="text-button" onClick={() => void queue.clearHistory()}>
            Forget all of these
          </button>
        )}
        {isLoaded && jobs.length === 0 && <p className="empty">Nothing was run yet.</p>}
      </div>
    </aside>
  );
}

/** The job that was sent before this one. */
function beforeOf(jobs: readonly Job[], job: Job): Job | undefined {
  const earlier = jobs.filter((other) => other.number < job.number);
  return earlier.reduce<Job | undefined>(
    (best, other) => (best && best.number > other.number ? best : other),
    undefined,
  );
}

function JobItem({ job, before }: { readonly job: Job; readonly before: Job | undefined }) {
  const { api, files, queue, runner } = useApp();
  const [picture] = picturesOf(job);
  const isEnded = job.state !== "running" && job.state !== "pending";
  const name = `job ${job.number}`;
  const isWaiting = job.state === "pending";
  return (
    <article
      className={`job is-${job.state}`}
      data-job={job.id}
      data-state={job.state}
      aria-label={name}
      draggable={isWaiting}
      onDragStart={(event) => event.dataTransfer.setData(DRAGGED, job.id)}
      onDragOver={(event) => {
        if (isWaiting && event.dataTransfer.types.includes(DRAGGED)) event.preventDefault();
      }}
      onDrop={(event) => {
        const id = event.dataTransfer.getData(DRAGGED);
        if (id === "" || id === job.id) return;
        event.preventDefault();
        const { top, height } = event.currentTarget.getBoundingClientRect();
        void queue.move(id, event.clientY < top + height / 2 ? { before: job.id } : { after: job.id });
      }}
    >
      {picture && (
        <a href={api.pictureUrl(picture)} target="_blank" rel="noreferrer" className="job-picture">
          <img src={api.pictureUrl(picture)} alt={picture.filename} loading="lazy" />
        </a>
      )}
      <div className="job-words">
        <p>
          <i className={`state-dot is-${job.state === "success" ? "done" : job.state}`} />
          <strong>{WORDS[job.state]}</strong>
          {job.ms !== null && <span className="count">{duration(job.ms)}</span>}
          <span className="outline-id">#{job.number}</span>
        </p>
        {job.state === "running" && <RunningBar />}
        <Differences job={job} before={before} />
        {job.failure !== null && <p className="job-failure">{job.failure}</p>}
        <p className="job-actions">
          {isEnded && (
            <button type="button" className="text-button" onClick={() => void runner.again(job)}>
              Run again
            </button>
          )}
          {isWaiting && <MoveButtons job={job} name={name} />}
          {job.workflow && (
            <button type="button" className="text-button" onClick={() => void files.openJob(job)}>
              Open its workflow
            </button>
          )}
          <button
            type="button"
            className="text-button"
            aria-label={`${isEnded ? "Forget" : "Cancel"} ${name}`}
            onClick={() => void queue.remove(job)}
          >
            {isEnded ? "Forget" : "Cancel"}
          </button>
        </p>
      </div>
    </article>
  );
}

function MoveButtons({ job, name }: { readonly job: Job; readonly name: string }) {
  const { queue } = useApp();
  const { jobs } = useStore(queue.state);
  const waiting = jobs.filter(({ state }) => state === "pending");
  const place = waiting.findIndex(({ id }) => id === job.id);
  const [before, after] = [waiting[place - 1], waiting[place + 1]];
  return (
    <>
      <button
        type="button"
        className="text-button"
        aria-label={`Run ${name} sooner`}
        disabled={!before}
        onClick={() => before && void queue.move(job.id, { before: before.id })}
      >
        Sooner
      </button>
      <button
        type="button"
        className="text-button"
        aria-label={`Run ${name} later`}
        disabled={!after}
        onClick={() => after && void queue.move(job.id, { after: after.id })}
      >
        Later
      </button>
    </>
  );
}

function RunningBar() {
  const progress = useRun(overallProgress);
  return (
    <span className="job-bar" role="progressbar" aria-label="Progress of the run" aria-valuenow={(progress ?? 0) * 100}>
      <span style={{ transform: `scaleX(${progress ?? 0})` }} />
    </span>
  );
}

function Differences({ job, before }: { readonly job: Job; readonly before: Job | undefined }) {
  const found = differences(job, before);
  if (found.length === 0) return null;
  const rest = found.length - MOST_DIFFERENCES;
  return (
    <p className="job-differences">
      {found.slice(0, MOST_DIFFERENCES).map(({ title, input, value }) => (
        <span key={`${title} ${input}`} title={`${title}: ${input}`}>
          {input} <code>{String(value).slice(0, 40)}</code>
        </span>
      ))}
      {rest > 0 && <span>and {rest} more</span>}
    </p>
  );
}
