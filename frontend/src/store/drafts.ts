/** Drafts in the browser's IndexedDB: what is being edited survives a reload and a crash. Knows nothing of the graph. */
import { type JsonObject } from "../graph/json.ts";

export interface Draft {
  /** One of each browser tab, so that two tabs never overwrite each other. */
  readonly id: string;
  readonly name: string;
  readonly stored: string | null;
  readonly isDirty: boolean;
  readonly workflow: JsonObject;
  readonly promptId: string | null;
  readonly savedAt: number;
}

const DATABASE = "heddle";
const STORE = "drafts";
const KEPT = 20;

export class Drafts {
  private opening: Promise<IDBDatabase> | null = null;

  async save(draft: Draft): Promise<void> {
    const store = await this.store("readwrite");
    store.put(draft);
    await finished(store.transaction);
  }

  async load(id: string): Promise<Draft | null> {
    const store = await this.store("readonly");
    return ((await answered(store.get(id))) as Draft | undefined) ?? null;
  }

  /** The draft that was changed last, in any tab. Also forgets the oldest ones. */
  async latest(): Promise<Draft | null> {
    const store = await this.store("readwrite");
    const drafts = (await answered(store.getAll())) as Draft[];
    drafts.sort((a, b) => b.savedAt - a.savedAt);
    for (const old of drafts.slice(KEPT)) store.delete(old.id);
    return drafts[0] ?? null;
  }

  private async store(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    this.opening ??= open();
    return (await this.opening).transaction(STORE, mode).objectStore(STORE);
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "id" }));
  return answered(request);
}

function answered<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error ?? new Error("The browser's storage failed.")));
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener("complete", () => resolve());
    transaction.addEventListener("error", () =>
      reject(transaction.error ?? new Error("The browser's storage failed.")),
    );
    transaction.addEventListener("abort", () =>
      reject(transaction.error ?? new Error("The browser's storage is full.")),
    );
  });
}
