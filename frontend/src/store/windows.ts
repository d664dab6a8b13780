/**
 * Which windows of the browser have the editor open. Each holds a lock with its name, which the browser takes from it
 * when it closes or dies; so drafts of windows that are gone can be told from those of windows that are there.
 */
import { newUuid } from "../graph/uuid.ts";

const PREFIX = "heddle.window.";
const DRAFT_PREFIX = "heddle.draft.";
const KEY = "heddle.window";
/** The page before a reload gives its lock back at once; another window that has our name, as a copied tab has, never. */
const PATIENCE_MS = 1500;

/** The name of this window; the same one after a reload. */
export async function claimWindow(): Promise<string> {
  const known = sessionStorage.getItem(KEY);
  const name = known !== null && (await hold(PREFIX + known, AbortSignal.timeout(PATIENCE_MS))) ? known : newUuid();
  if (name !== known) await hold(PREFIX + name);
  sessionStorage.setItem(KEY, name);
  return name;
}

/** Names of all windows that are open; null where the browser cannot tell, as on an address without encryption. */
export async function openWindows(): Promise<ReadonlySet<string> | null> {
  if (!("locks" in navigator)) return null;
  const { held = [] } = await navigator.locks.query();
  return new Set(held.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [])));
}

/**
 * Takes a draft for this window, so that no other one opens it. `isOwn` waits for the page before a reload. False when
 * another window has it: a browser that restores several windows starts them all at the same time.
 */
export function claimDraft(id: string, isOwn: boolean): Promise<boolean> {
  return isOwn ? hold(DRAFT_PREFIX + id, AbortSignal.timeout(PATIENCE_MS)) : hold(DRAFT_PREFIX + id, "at once");
}

/** True once the lock is held, which it stays as long as the page lives. */
function hold(lock: string, patience?: AbortSignal | "at once"): Promise<boolean> {
  if (!("locks" in navigator)) return Promise.resolve(true);
  const options = patience === "at once" ? { ifAvailable: true } : patience ? { signal: patience } : {};
  return new Promise((resolve) => {
    const held = (granted: Lock | null): Promise<void> => {
      resolve(granted !== null);
      return granted === null ? Promise.resolve() : new Promise(() => {});
    };
    navigator.locks.request(lock, options, held).catch(() => resolve(false));
  });
}
