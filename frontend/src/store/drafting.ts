/**
 * Keeps the drafts of all open workflows up to date, and brings them back. Every command is journalled when it is done,
 * and a run, a save or a new name makes a snapshot at once. When there is quiet, the journal becomes a new snapshot.
 */
import { writeWorkflow } from "../graph/write_workflow.ts";
import { newUuid } from "../graph/uuid.ts";
import type { Draft, Drafts } from "./drafts.ts";
import { type DocumentState, type Editor, isDirty } from "./editor.ts";
import { IDLE, type RunState, submitted } from "./run_state.ts";
import type { Restored, Tabs } from "./tabs.ts";
import { claimDraft, openWindows } from "./windows.ts";

const QUIET_MS = 1500;
const LONGEST_JOURNAL = 300;
const ACTIVE_KEY = "heddle.tab";

export class Drafting {
  private readonly editor: Editor;
  private readonly tabs: Tabs;
  private readonly drafts: Drafts;
  private readonly window: string;
  private readonly known = new Set<string>();
  private readonly stale = new Set<string>();
  private journalled = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(parts: { editor: Editor; tabs: Tabs; drafts: Drafts; window: string }) {
    this.editor = parts.editor;
    this.tabs = parts.tabs;
    this.drafts = parts.drafts;
    this.window = parts.window;
  }

  /**
   * Opens what this window had open, and what windows that are gone left behind. Answers how many workflows there are,
   * and how many of them hold unsaved work of windows that are gone.
   */
  async restore(): Promise<{ open: number; recovered: number }> {
    const share = shareOf(await this.drafts.all(), this.window, await openWindows());
    const own = await claimed(share.own, true);
    const left = await claimed(share.left, false);
    const drafts = [...own, ...left].map((draft, place) => ({ ...draft, window: this.window, place }));
    const latest = drafts.reduce<Draft | undefined>(
      (best, each) => (best && best.savedAt >= each.savedAt ? best : each),
      undefined,
    );
    if (!latest) return { open: 0, recovered: 0 };
    const before = sessionStorage.getItem(ACTIVE_KEY);
    this.tabs.restore(drafts.map(restoredOf), drafts.find(({ id }) => id === before)?.id ?? latest.id);
    for (const { id } of drafts) this.known.add(id);
    for (const { id } of left) this.markStale(id);
    return { open: drafts.length, recovered: left.filter((draft) => draft.isDirty).length };
  }

  /** Keeps drafts from now on. */
  start(): void {
    this.editor.documents.subscribe((state, before) => this.onDocument(state, before));
    this.editor.runs.subscribe((run, before) => {
      if (run.waiting !== before.waiting) void this.snapshot(this.tabs.active);
    });
    this.tabs.state.subscribe(({ order, parked }, before) => {
      for (const id of before.order) if (!order.includes(id)) this.forget(id);
      order.forEach((id, place) => before.order[place] !== id && this.markStale(id));
      for (const [id, { state }] of parked) {
        const known = before.parked.get(id)?.state;
        if (known && known !== state) this.markStale(id);
      }
    });
    this.markStale(this.tabs.active);
    sessionStorage.setItem(ACTIVE_KEY, this.tabs.active);
  }

  /** Writes what is not in a snapshot yet; also called when the page is left. */
  async flush(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.journalled = 0;
    const ids = [...this.stale];
    this.stale.clear();
    await Promise.all(ids.map((id) => this.snapshot(id)));
  }

  private onDocument(state: DocumentState, before: DocumentState): void {
    if (state.tab !== before.tab) {
      sessionStorage.setItem(ACTIVE_KEY, state.tab);
      if (!this.known.has(state.tab)) void this.snapshot(state.tab);
    } else if (state.history.document !== before.history.document) {
      this.journal(state);
      this.markStale(state.tab);
    } else if (
      state.name !== before.name ||
      state.stored !== before.stored ||
      state.storedVersion !== before.storedVersion ||
      state.clean !== before.clean
    )
      void this.snapshot(state.tab);
  }

  private journal({ tab, history }: DocumentState): void {
    if (!this.known.has(tab)) {
      void this.snapshot(tab);
      return;
    }
    for (const patches of history.applied) void this.guarded(this.drafts.append(tab, patches));
    this.journalled += history.applied.length;
    if (this.journalled > LONGEST_JOURNAL) void this.flush();
  }

  private markStale(id: string): void {
    this.stale.add(id);
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.flush(), QUIET_MS);
  }

  private async snapshot(id: string): Promise<void> {
    const state = this.tabs.stateOf(id);
    const run = this.tabs.runOf(id);
    if (!state || !run) return;
    this.known.add(id);
    const { name, stored, storedVersion, history, definitions } = state;
    const draft: Draft = {
      id,
      window: this.window,
      place: this.tabs.state.getState().order.indexOf(id),
      name,
      stored,
      storedVersion,
      isDirty: isDirty(state),
      promptId: [...run.waiting.keys()].at(-1) ?? run.last?.promptId ?? null,
      savedAt: Date.now(),
      document: history.document,
    };
    await this.guarded(this.drafts.save(draft, writeWorkflow(history.document, definitions)));
  }

  private forget(id: string): void {
    this.stale.delete(id);
    this.known.delete(id);
    void this.guarded(this.drafts.remove(id));
  }

  private async guarded(work: Promise<void>): Promise<void> {
    await work.catch(() => {
      this.editor.toast("error", "The draft could not be kept in this browser; save the workflow to a file.");
    });
  }
}

async function claimed(drafts: readonly Draft[], isOwn: boolean): Promise<Draft[]> {
  const mine = await Promise.all(drafts.map(({ id }) => claimDraft(id, isOwn)));
  return drafts.filter((_, index) => mine[index]);
}

function restoredOf(draft: Draft): Restored {
  const { id: tab, name, stored, storedVersion, document, isDirty, promptId } = draft;
  const run: RunState = promptId === null ? IDLE : submitted(IDLE, promptId, Object.keys(document.nodes));
  return { place: { tab, name, stored, storedVersion }, document, isDirty, run };
}

/**
 * Of all drafts those of this window, and those to take over: unsaved work of every window that is gone, and all that
 * was open in the last of them. Where the browser cannot tell which are gone, a window that has nothing begins with a
 * copy of what was changed last.
 */
export function shareOf(
  drafts: readonly Draft[],
  window: string,
  open: ReadonlySet<string> | null,
): { own: Draft[]; left: Draft[] } {
  const byPlace = drafts.toSorted((a, b) => a.place - b.place);
  const own = byPlace.filter((draft) => draft.window === window);
  const others = byPlace.filter((draft) => draft.window !== window && !open?.has(draft.window));
  const last = others.reduce<Draft | undefined>(
    (best, each) => (best && best.savedAt >= each.savedAt ? best : each),
    undefined,
  );
  const ofLast = own.length > 0 || !last ? [] : others.filter((draft) => draft.window === last.window);
  if (!open) return { own, left: ofLast.map((draft) => ({ ...draft, id: newUuid() })) };
  return { own, left: others.filter((draft) => draft.isDirty || ofLast.includes(draft)) };
}
