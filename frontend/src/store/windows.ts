/**
 * Which windows of the browser have the editor open. Each holds a lock with its name, which the browser takes from it
 * when it closes or dies; so drafts of windows that are gone can be told from those of windows that are there.
 */
import { newUuid } from "../graph/uuid.ts";

const PREFIX = "heddle.window.";
const KEY = "heddle.window";
/** The page before a reload gives its lock back at once; another window that has our name, as a copied tab has, never. */
const PATIENCE_MS = 1500;

/** The name of this window; the same one after a reload. */
export async function claimWindow(): Promise<string> {
  const known = sessionStorage.getItem(KEY);
  const name = known !== null && (await hold(known, AbortSignal.timeout(PATIENCE_MS))) ? known : newUuid();
  if (name !== known) await hold(name);
  sessionStorage.setItem(KEY, name);
  return name;
}

/** Names of all windows that are open; null where the browser cannot tell, as on an address without encryption. */
export async function openWindows(): Promise<ReadonlySet<string> | null> {
  if (!("locks" in navigator)) return null;
  const { held = [] } = await navigator.locks.query();
  return new Set(held.flatMap(({ name }) => (name?.startsWith(PREFIX) ? [name.slice(PREFIX.length)] : [])));
}

/** True once the lock is held, which it stays as long as the page lives. */
function hold(name: string, signal?: AbortSignal): Promise<boolean> {
  if (!("locks" in navigator)) return Promise.resolve(true);
  return new Promise((resolve) => {
    const forever = (): Promise<never> => {
      resolve(true);
      return new Promise<never>(() => {});
    };
    navigator.locks.request(PREFIX + name, signal ? { signal } : {}, forever).catch(() => resolve(false));
  });
}
