/** The browser's own storage (IndexedDB): its tables, and promises for its requests. Knows nothing of what is kept. */

const NAME = "heddle";
const VERSION = 2;

/** `drafts` by id; `journal` in the order of writing, by draft; `versions` in the order of writing, by tab and by file. */
export type Table = "drafts" | "journal" | "versions";

export class Database {
  private opening: Promise<IDBDatabase> | null = null;
  private atWork = 0;

  /** Whether all that was asked of it is done: what was written survives the end of the browser's process. */
  get isAtRest(): boolean {
    return this.atWork === 0;
  }

  /** Work on tables, all of it or nothing. `work` may only wait for what it asks of the transaction. */
  async transact<T>(
    tables: readonly Table[],
    mode: IDBTransactionMode,
    work: (transaction: IDBTransaction) => Promise<T> | T,
  ): Promise<T> {
    this.atWork += 1;
    try {
      this.opening ??= this.open();
      const transaction = (await this.opening).transaction(tables, mode);
      const end = finished(transaction);
      const answer = await work(transaction);
      await end;
      return answer;
    } finally {
      this.atWork -= 1;
    }
  }

  private async open(): Promise<IDBDatabase> {
    const request = indexedDB.open(NAME, VERSION);
    request.addEventListener("upgradeneeded", (event) => upgrade(request.result, event.oldVersion));
    const database = await answered(request);
    // A newer editor in another window changes the tables: this one gets out of its way.
    database.addEventListener("versionchange", (event) => {
      if (event.newVersion === null) return;
      database.close();
      this.opening = null;
    });
    return database;
  }
}

function upgrade(database: IDBDatabase, from: number): void {
  if (from < 1) database.createObjectStore("drafts", { keyPath: "id" });
  database.createObjectStore("journal", { autoIncrement: true }).createIndex("draft", "draft");
  const versions = database.createObjectStore("versions", { keyPath: "id", autoIncrement: true });
  versions.createIndex("tab", "tab");
  versions.createIndex("file", "file");
}

export function answered<T>(request: IDBRequest<T>): Promise<T> {
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
