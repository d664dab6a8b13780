/** Earlier versions of workflows, kept in the browser: at every save, at every run, and when unsaved work is closed. */
import type { JsonObject } from "../graph/json.ts";
import { sameJson } from "../graph/json.ts";
import { answered, type Database } from "./database.ts";

export type Reason = "save" | "run" | "close" | "restore";

export interface Version {
  readonly id: number;
  readonly tab: string;
  /** Its path on the server, if it was stored there; versions of one file belong together. */
  readonly file: string | null;
  readonly name: string;
  readonly reason: Reason;
  readonly at: number;
  readonly workflow: JsonObject;
}

export type NewVersion = Omit<Version, "id">;

/** Of one workflow. */
const MOST = 60;

export class Versions {
  private readonly database: Database;
  private readonly watchers = new Set<() => void>();

  constructor(database: Database) {
    this.database = database;
  }

  /** Keeps a version, unless the one before it is the same. */
  async add(version: NewVersion): Promise<void> {
    await this.database.transact(["versions"], "readwrite", async (transaction) => {
      const store = transaction.objectStore("versions");
      const known = await belonging(store, version.tab, version.file);
      const [latest] = known;
      const isSame = latest !== undefined && sameJson(latest.workflow, version.workflow);
      // That it was saved says more than that it ran.
      if (isSame && latest.reason === version.reason) return;
      if (isSame) store.delete(latest.id);
      store.add(version);
      for (const old of known.slice(MOST - 1)) store.delete(old.id);
    });
    for (const watch of this.watchers) watch();
  }

  /** Tells when a version was kept; the answer stops it. */
  watch(watcher: () => void): () => void {
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  /** Those of a tab and of the file in it, the latest first. */
  of(tab: string, file: string | null): Promise<Version[]> {
    return this.database.transact(["versions"], "readonly", (transaction) =>
      belonging(transaction.objectStore("versions"), tab, file),
    );
  }

  /** What was closed without being saved, the latest first. */
  async closed(): Promise<Version[]> {
    const all = await this.database.transact(["versions"], "readonly", (transaction) =>
      answered(transaction.objectStore("versions").getAll() as IDBRequest<Version[]>),
    );
    return all.filter((version) => version.reason === "close").toReversed();
  }
}

async function belonging(store: IDBObjectStore, tab: string, file: string | null): Promise<Version[]> {
  const [byTab, byFile] = await Promise.all([
    answered(store.index("tab").getAll(tab) as IDBRequest<Version[]>),
    file === null ? [] : answered(store.index("file").getAll(file) as IDBRequest<Version[]>),
  ]);
  const all = new Map([...byTab, ...byFile].map((version) => [version.id, version]));
  return [...all.values()].sort((a, b) => b.id - a.id);
}
