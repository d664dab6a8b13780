/**
 * The open workflows. One is in the editor's stores; the others are parked here as they were left: document, history,
 * selection, run and view. Runs of parked ones go on, and what the server says about them reaches them.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import { EMPTY_DOCUMENT, type WorkflowDocument } from "../graph/document.ts";
import { newUuid } from "../graph/uuid.ts";
import type { ServerMessage } from "../protocol/messages.ts";
import type { Viewport } from "../canvas/viewport.ts";
import type { CanvasView } from "../canvas/view.ts";
import { type DocumentState, type Editor, isDirty, type Place } from "./editor.ts";
import { reduceRun, type RunState } from "./run_state.ts";

export interface Parked {
  readonly state: DocumentState;
  readonly run: RunState;
  /** Null for one that was not shown yet: then all of it is. */
  readonly viewport: Viewport | null;
}

export interface TabsState {
  readonly order: readonly string[];
  readonly parked: ReadonlyMap<string, Parked>;
}

/** What a workflow is called and where it is stored. */
export type Origin = Omit<Place, "tab">;

/** A workflow that was open before the page was left. */
export interface Restored {
  readonly place: Place;
  readonly document: WorkflowDocument;
  readonly isDirty: boolean;
  readonly run: RunState;
}

export const UNTITLED: Origin = { name: "Untitled", stored: null, storedVersion: null };

export class Tabs {
  readonly state: StoreApi<TabsState>;
  private readonly editor: Editor;
  private readonly view: CanvasView;

  constructor(editor: Editor, view: CanvasView) {
    this.editor = editor;
    this.view = view;
    this.state = createStore<TabsState>(() => ({ order: [this.active], parked: new Map() }));
  }

  get active(): string {
    return this.editor.documents.getState().tab;
  }

  /** The state of a tab, parked or not; undefined for one that is closed. */
  stateOf(id: string): DocumentState | undefined {
    return id === this.active ? this.editor.documents.getState() : this.state.getState().parked.get(id)?.state;
  }

  /** The run of a tab. */
  runOf(id: string): RunState | undefined {
    return id === this.active ? this.editor.runs.getState() : this.state.getState().parked.get(id)?.run;
  }

  /** The tab that has a stored workflow open. */
  withFile(stored: string): string | undefined {
    return this.state.getState().order.find((id) => this.stateOf(id)?.stored === stored);
  }

  /** Opens a document beside the others, or in place of an empty one that nobody touched. Answers its tab. */
  open(document: WorkflowDocument, origin: Origin, id: string = newUuid()): string {
    const { order } = this.state.getState();
    const place = order.indexOf(this.active);
    const replaces = isUntouched(this.editor.documents.getState());
    if (!replaces) this.park();
    this.state.setState({ order: order.toSpliced(replaces ? place : place + 1, replaces ? 1 : 0, id) });
    this.editor.load(document, { ...origin, tab: id });
    return id;
  }

  /** Opens workflows as they were, in place of what is open; `active` is the tab that is shown. */
  restore(open: readonly Restored[], active: string): void {
    const parked = new Map(
      open.map(({ place, document, isDirty, run }): [string, Parked] => {
        const state = this.editor.opened(document, place);
        const clean = isDirty ? { ...EMPTY_DOCUMENT } : document;
        return [place.tab, { state: { ...state, clean }, run, viewport: null }];
      }),
    );
    this.state.setState({ order: [...parked.keys()], parked });
    const shown = parked.get(active);
    if (shown) this.unpark(active, shown);
  }

  activate(id: string): void {
    const next = this.state.getState().parked.get(id);
    if (!next) return;
    this.park();
    this.unpark(id, next);
  }

  /** The tab that many places further, round the ends. */
  step(by: number): void {
    const { order } = this.state.getState();
    const id = order[(order.indexOf(this.active) + by + order.length) % order.length];
    if (id !== undefined) this.activate(id);
  }

  /** Closes a tab, without asking. After the last one there is an empty one. */
  close(id: string): void {
    const { order, parked } = this.state.getState();
    const rest = order.filter((other) => other !== id);
    if (id === this.active) {
      const neighbour = rest[Math.min(order.indexOf(id), rest.length - 1)];
      const next = neighbour === undefined ? undefined : parked.get(neighbour);
      if (neighbour !== undefined && next) this.unpark(neighbour, next);
      else {
        const fresh = newUuid();
        this.editor.load(EMPTY_DOCUMENT, { ...UNTITLED, tab: fresh });
        rest.push(fresh);
      }
    }
    this.state.setState(({ parked }) => ({
      order: rest,
      parked: new Map([...parked].filter(([other]) => other !== id)),
    }));
  }

  /** Moves a tab to a place in the row. */
  move(id: string, place: number): void {
    this.state.setState(({ order }) => {
      const rest = order.filter((other) => other !== id);
      return { order: [...rest.slice(0, place), id, ...rest.slice(place)] };
    });
  }

  /** Changes what is known of a tab, wherever it is; of one that was closed meanwhile, nothing. */
  update(id: string, fields: Partial<Origin & Pick<DocumentState, "clean">>): void {
    if (id === this.active) this.editor.documents.setState(fields);
    else
      this.state.setState(({ parked }) => {
        const known = parked.get(id);
        if (!known) return {};
        return { parked: new Map([...parked, [id, { ...known, state: { ...known.state, ...fields } }]]) };
      });
  }

  /** What the server says about runs of tabs that are parked. */
  receive(message: ServerMessage, now: number): void {
    const { parked } = this.state.getState();
    let changed = false;
    const next = [...parked].map(([id, tab]): [string, Parked] => {
      if (tab.run.waiting.size === 0) return [id, tab];
      const run = reduceRun(tab.run, message, now);
      changed ||= run !== tab.run;
      return [id, { ...tab, run }];
    });
    if (changed) this.state.setState({ parked: new Map(next) });
  }

  private park(): void {
    const { editor, view } = this;
    const parked: Parked = {
      state: editor.documents.getState(),
      run: editor.runs.getState(),
      viewport: view.viewport,
    };
    this.state.setState(({ parked: others }) => ({ parked: new Map([...others, [this.active, parked]]) }));
  }

  private unpark(id: string, { state, run, viewport }: Parked): void {
    this.state.setState(({ parked }) => ({ parked: new Map([...parked].filter(([other]) => other !== id)) }));
    this.editor.resume(state, run);
    if (viewport) this.view.setViewport(viewport);
  }
}

/** An empty document that was never stored: nothing of it is missed. */
function isUntouched(state: DocumentState): boolean {
  return state.stored === null && !isDirty(state) && Object.keys(state.history.document.nodes).length === 0;
}
