/**
 * The editor's state and what can be done to it: one object, made in main.tsx and handed down. Three stores: the
 * document with its history and selection, the runs, and the frame around them.
 */
import { createStore, type StoreApi } from "zustand/vanilla";
import { EMPTY_DOCUMENT, type GraphNode, type NodeId, type Point, type WorkflowDocument } from "../graph/document.ts";
import type { Definitions, NodeDefinition } from "../graph/definitions.ts";
import {
  type Change,
  change,
  changeQuietly,
  endGesture,
  type History,
  redo,
  startHistory,
  undo,
} from "../graph/history.ts";
import { definitionOf } from "../graph/sockets.ts";
import { VIRTUAL_DEFINITIONS } from "../graph/virtual.ts";
import type { Json } from "../graph/json.ts";
import { newUuid } from "../graph/uuid.ts";
import type { LastUsed } from "./controls.ts";
import { IDLE, type RunState } from "./run_state.ts";
import { FIRST_UI, type Toast, type UiState } from "./ui_state.ts";

export interface DocumentState {
  readonly history: History;
  readonly definitions: Definitions;
  readonly hasDefinitions: boolean;
  readonly selection: ReadonlySet<NodeId>;
  /** The selected group, by its place in the document; never together with nodes. */
  readonly group: number | null;
  /** Nodes that were brought to the front, the frontmost last. */
  readonly raised: readonly NodeId[];
  /** Which of the open workflows it is. */
  readonly tab: string;
  readonly name: string;
  /** Its path under the server's workflows; null for one that was never stored there. */
  readonly stored: string | null;
  /** The content of that file that it was read from or saved as, as the server names it. */
  readonly storedVersion: string | null;
  /** As it was when it was last saved or opened. */
  readonly clean: WorkflowDocument;
  readonly lastUsed: LastUsed;
  /** Counts opened documents, so that views can tell a new one from a changed one. */
  readonly generation: number;
}

/** What a workflow is called, where it is stored, and in which tab it is open. */
export type Place = Pick<DocumentState, "tab" | "name" | "stored" | "storedVersion">;

export function isDirty({ history, clean }: Pick<DocumentState, "history" | "clean">): boolean {
  return history.document !== clean;
}

const VIRTUAL: Definitions = new Map(VIRTUAL_DEFINITIONS.map((definition) => [definition.classType, definition]));
const TOAST_MS = { error: 12_000, info: 5_000, success: 3_000 };

export class Editor {
  readonly documents: StoreApi<DocumentState> = createStore<DocumentState>(() => ({
    history: startHistory(EMPTY_DOCUMENT),
    definitions: VIRTUAL,
    hasDefinitions: false,
    selection: new Set<NodeId>(),
    group: null,
    raised: [],
    tab: newUuid(),
    name: "Untitled",
    stored: null,
    storedVersion: null,
    clean: EMPTY_DOCUMENT,
    lastUsed: new Map<string, Json>(),
    generation: 0,
  }));
  readonly runs: StoreApi<RunState> = createStore<RunState>(() => IDLE);
  readonly ui: StoreApi<UiState> = createStore<UiState>(() => FIRST_UI);
  private toastCount = 0;

  get document(): WorkflowDocument {
    return this.documents.getState().history.document;
  }

  get definitions(): Definitions {
    return this.documents.getState().definitions;
  }

  get selection(): ReadonlySet<NodeId> {
    return this.documents.getState().selection;
  }

  get isDirty(): boolean {
    return isDirty(this.documents.getState());
  }

  node(id: NodeId): GraphNode | undefined {
    return this.document.nodes[id];
  }

  definitionOf(node: Pick<GraphNode, "type" | "outputs">): NodeDefinition | undefined {
    return definitionOf(this.document, this.definitions, node);
  }

  setDefinitions(definitions: Definitions): void {
    this.documents.setState({ definitions: new Map([...VIRTUAL, ...definitions]), hasDefinitions: true });
  }

  /** The state of a document that was just opened. */
  opened(document: WorkflowDocument, place: Place): DocumentState {
    const { definitions, hasDefinitions, generation } = this.documents.getState();
    return {
      history: startHistory(document),
      definitions,
      hasDefinitions,
      selection: new Set(),
      group: null,
      raised: [],
      ...place,
      clean: document,
      lastUsed: new Map(),
      generation,
    };
  }

  /** Shows a document as opened; what was there before is not kept here. */
  load(document: WorkflowDocument, place: Place): void {
    this.resume(this.opened(document, place), IDLE);
  }

  /** Shows a document as it was left, with what is known of its runs. The server's queue and nodes are as they are now. */
  resume(state: DocumentState, run: RunState): void {
    this.documents.setState(({ definitions, hasDefinitions, generation }) => ({
      ...state,
      definitions,
      hasDefinitions,
      generation: generation + 1,
    }));
    this.runs.setState(({ queueRemaining }) => ({ ...run, queueRemaining }), true);
    this.ui.setState({
      search: null,
      menu: null,
      renaming: null,
      renamingGroup: null,
      linking: null,
      isProblemsOpen: false,
    });
  }

  do(step: Change): void {
    this.documents.setState(({ history }) => ({ history: change(history, step) }));
  }

  doQuietly(recipe: Change["recipe"]): void {
    this.documents.setState(({ history, clean }) => {
      const next = changeQuietly(history, recipe);
      // A document that was saved stays so: a drawn seed is no edit.
      return { history: next, clean: history.document === clean ? next.document : clean };
    });
  }

  endGesture(): void {
    this.documents.setState(({ history }) => ({ history: endGesture(history) }));
  }

  undo(): void {
    this.documents.setState(({ history, selection }) => keepSelection(undo(history), selection));
  }

  redo(): void {
    this.documents.setState(({ history, selection }) => keepSelection(redo(history), selection));
  }

  select(ids: Iterable<NodeId>): void {
    const selection = new Set(ids);
    this.documents.setState(({ raised }) => ({
      selection,
      group: null,
      raised: selection.size === 0 ? raised : [...raised.filter((id) => !selection.has(id)), ...selection],
    }));
  }

  selectGroup(group: number | null): void {
    this.documents.setState({ selection: new Set(), group });
  }

  toast(kind: Toast["kind"], text: string): void {
    this.toastCount += 1;
    const toast: Toast = { id: this.toastCount, kind, text };
    this.ui.setState(({ toasts }) => ({ toasts: [...toasts.filter((known) => known.text !== text).slice(-3), toast] }));
    setTimeout(() => this.dismiss(toast.id), TOAST_MS[kind]);
  }

  dismiss(id: number): void {
    this.ui.setState(({ toasts }) => ({ toasts: toasts.filter((toast) => toast.id !== id) }));
  }

  openSearch(at: Point, screen: Point, from: NonNullable<UiState["search"]>["from"] = null): void {
    this.ui.setState({ search: { at, screen, from }, menu: null });
  }
}

function keepSelection(history: History, selection: ReadonlySet<NodeId>): Partial<DocumentState> {
  // A group is known by its place, which other groups may have taken.
  return { history, group: null, selection: new Set([...selection].filter((id) => id in history.document.nodes)) };
}
