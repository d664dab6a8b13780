/**
 * Undo and redo. A change is a recipe on a draft of the document; its patches are the history. Changes with the same
 * gesture (typing in one field, dragging one slider) are one step.
 */
import { apply, create, type Draft, type Patches } from "mutative";
import type { WorkflowDocument } from "./document.ts";

export type Recipe = (draft: Draft<WorkflowDocument>) => void;

export interface Change {
  /** What the step is called in menus: "Undo add node". */
  readonly label: string;
  readonly recipe: Recipe;
  /** Consecutive changes with the same gesture become one step. */
  readonly gesture?: string;
}

interface Step {
  readonly label: string;
  readonly gesture: string | null;
  readonly forward: readonly Patches[];
  readonly backward: readonly Patches[];
}

export interface History {
  readonly document: WorkflowDocument;
  readonly past: readonly Step[];
  readonly future: readonly Step[];
  /** What led from the document before to this one, for a journal: applied to that one, they give this one. */
  readonly applied: readonly Patches[];
}

const LONGEST = 500;

export function startHistory(document: WorkflowDocument): History {
  return { document, past: [], future: [], applied: [] };
}

export function change(history: History, { label, recipe, gesture }: Change): History {
  const [document, forward, backward] = create(history.document, recipe, { enablePatches: true });
  if (forward.length === 0) return history;
  const last = history.past.at(-1);
  const continues = gesture !== undefined && last?.gesture === gesture && history.future.length === 0;
  const step: Step = continues
    ? { ...last, forward: [...last.forward, forward], backward: [backward, ...last.backward] }
    : { label, gesture: gesture ?? null, forward: [forward], backward: [backward] };
  const past = continues ? history.past.slice(0, -1) : history.past.slice(-LONGEST);
  return { document, past: [...past, step], future: [], applied: [forward] };
}

/** A change that is no step of its own, such as the seed drawn for a run. */
export function changeQuietly(history: History, recipe: Recipe): History {
  const [document, forward] = create(history.document, recipe, { enablePatches: true });
  return { ...history, document, applied: [forward] };
}

/** Ends a gesture: the next change begins a new step even if it is of the same kind. */
export function endGesture(history: History): History {
  const last = history.past.at(-1);
  if (!last || last.gesture === null) return history;
  return { ...history, past: [...history.past.slice(0, -1), { ...last, gesture: null }] };
}

export function undo(history: History): History {
  const step = history.past.at(-1);
  if (!step) return history;
  const document = step.backward.reduce((before, patches) => apply(before, patches), history.document);
  const future = [...history.future, { ...step, gesture: null }];
  return { document, past: history.past.slice(0, -1), future, applied: step.backward };
}

export function redo(history: History): History {
  const step = history.future.at(-1);
  if (!step) return history;
  const document = step.forward.reduce((before, patches) => apply(before, patches), history.document);
  return { document, past: [...history.past, step], future: history.future.slice(0, -1), applied: step.forward };
}
