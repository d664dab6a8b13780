/** The jobs of the server, for the queue panel: asked for while it is open, whenever a run begins or ends. */
import { createStore, type StoreApi } from "zustand/vanilla";
import type { QueuePlace, ServerApi } from "../protocol/api.ts";
import type { Job } from "../protocol/jobs.ts";
import type { Editor } from "./editor.ts";

export interface QueueState {
  readonly jobs: readonly Job[];
  readonly isLoaded: boolean;
  /** What waits is held back until somebody lets it go on. */
  readonly isPaused: boolean;
}

export class Queue {
  readonly state: StoreApi<QueueState> = createStore<QueueState>(() => ({
    jobs: [],
    isLoaded: false,
    isPaused: false,
  }));
  private readonly editor: Editor;
  private readonly api: ServerApi;
  private isAsking = false;
  private isStale = false;

  constructor(editor: Editor, api: ServerApi) {
    this.editor = editor;
    this.api = api;
  }

  /** Listens for what changes the jobs. */
  start(): void {
    this.editor.runs.subscribe((run, before) => {
      const isSame =
        run.queueRemaining === before.queueRemaining && run.running === before.running && run.last === before.last;
      if (!isSame) void this.refresh();
    });
    this.editor.ui.subscribe((state, before) => {
      const isShown =
        (state.isQueueOpen && !before.isQueueOpen) || (state.dialog === "gallery" && before.dialog !== "gallery");
      if (isShown || (state.connection === "open" && before.connection !== "open")) void this.refresh();
    });
  }

  /** Asks again if somebody looks; what changes while it asks is asked for once more. */
  async refresh(): Promise<void> {
    const { isQueueOpen, dialog } = this.editor.ui.getState();
    if (!isQueueOpen && dialog !== "gallery") return;
    this.isStale = true;
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      while (this.isStale) {
        this.isStale = false;
        this.state.setState({ ...(await this.api.jobs()), isLoaded: true });
      }
    } catch {
      // The connection's badge says so; it is asked again when it is back.
    } finally {
      this.isAsking = false;
    }
  }

  /** A waiting job is taken out, a running one interrupted, one that has ended forgotten. */
  async remove(job: Job): Promise<void> {
    await this.asking(() => {
      if (job.state === "running") return this.api.interrupt(job.id);
      return job.state === "pending" ? this.dequeue([job.id]) : this.api.forget([job.id]);
    });
  }

  async pause(isPaused: boolean): Promise<void> {
    await this.asking(() => this.api.pauseQueue(isPaused));
  }

  async move(id: string, place: QueuePlace): Promise<void> {
    await this.asking(() => this.api.moveInQueue(id, place));
  }

  async clearPending(): Promise<void> {
    const pending = this.state.getState().jobs.filter((job) => job.state === "pending");
    await this.asking(() => this.dequeue(pending.map((job) => job.id)));
  }

  async clearHistory(): Promise<void> {
    const ended = this.state.getState().jobs.filter((job) => job.state !== "pending" && job.state !== "running");
    await this.asking(() => this.api.forget(ended.map((job) => job.id)));
  }

  /** What is taken out says nothing more, so nobody waits for it. */
  private async dequeue(ids: readonly string[]): Promise<void> {
    await this.api.dequeue(ids);
    const gone = new Set(ids);
    this.editor.runs.setState(({ waiting }) => ({ waiting: new Map([...waiting].filter(([id]) => !gone.has(id))) }));
  }

  private async asking(ask: () => Promise<void>): Promise<void> {
    try {
      await ask();
    } catch (error) {
      this.editor.toast("error", error instanceof Error ? error.message : String(error));
    }
    await this.refresh();
  }
}
