/**
 * Drafts in the browser's storage: a snapshot of each open workflow and the patches since then, one entry for each
 * command, so that a crash at any moment loses nothing that was done. Knows nothing of when to write.
 */
import { apply, type Patches } from "mutative";
import type { WorkflowDocument } from "../graph/document.ts";
import type { JsonObject } from "../graph/json.ts";
import { readWorkflow } from "../graph/read_workflow.ts";
import { answered, type Database } from "./database.ts";

/** Raised when the shape of WorkflowDocument changes; snapshots of another shape are read from their workflow. */
const SHAPE = 1;

export interface Draft {
  readonly id: string;
  /** The browser's window that has it open, and its place among the tabs there. */
  readonly window: string;
  readonly place: number;
  readonly name: string;
  /** Its path under the server's workflows, and which content of that file it began from. */
  readonly stored: string | null;
  readonly storedVersion: string | null;
  readonly isDirty: boolean;
  readonly promptId: string | null;
  readonly savedAt: number;
  readonly document: WorkflowDocument;
}

interface Kept {
  readonly id: string;
  readonly shape: number;
  readonly workflow: JsonObject;
  readonly draft: Draft;
}

/** As it was written before there were tabs: one draft for each window. */
interface OldRecord {
  readonly id: string;
  readonly draft?: undefined;
  readonly name: string;
  readonly stored: string | null;
  readonly isDirty: boolean;
  readonly workflow: JsonObject;
  readonly promptId: string | null;
  readonly savedAt: number;
}

interface Entry {
  readonly draft: string;
  readonly patches: Patches;
}

export class Drafts {
  private readonly database: Database;

  constructor(database: Database) {
    this.database = database;
  }

  /** The whole draft; its patches are in it now. `workflow` is the file that it would be saved as. */
  async save(draft: Draft, workflow: JsonObject): Promise<void> {
    await this.database.transact(["drafts", "journal"], "readwrite", async (transaction) => {
      const record: Kept = { id: draft.id, shape: SHAPE, workflow, draft };
      transaction.objectStore("drafts").put(record);
      await dropEntries(transaction, draft.id);
    });
  }

  /** What one command did to a draft that has been saved. Entries keep the order in which this was called. */
  async append(draft: string, patches: Patches): Promise<void> {
    await this.database.transact(["journal"], "readwrite", (transaction) => {
      const entry: Entry = { draft, patches };
      transaction.objectStore("journal").add(entry);
      transaction.commit();
    });
  }

  async remove(id: string): Promise<void> {
    await this.database.transact(["drafts", "journal"], "readwrite", async (transaction) => {
      transaction.objectStore("drafts").delete(id);
      await dropEntries(transaction, id);
    });
  }

  /** All drafts of all windows, as they were at their last command. */
  async all(): Promise<Draft[]> {
    const [records, entries] = await this.database.transact(["drafts", "journal"], "readonly", (transaction) =>
      Promise.all([
        answered(transaction.objectStore("drafts").getAll() as IDBRequest<(Kept | OldRecord)[]>),
        answered(transaction.objectStore("journal").getAll() as IDBRequest<Entry[]>),
      ]),
    );
    return records.flatMap((record) => {
      const own = entries.filter((entry) => entry.draft === record.id).map((entry) => entry.patches);
      const draft = restored(record, own);
      return draft ? [draft] : [];
    });
  }
}

function restored(record: Kept | OldRecord, patches: readonly Patches[]): Draft | null {
  try {
    if (!record.draft) {
      const { workflow, ...rest } = record;
      return { ...rest, window: record.id, place: 0, storedVersion: null, document: readWorkflow(workflow) };
    }
    if (record.shape !== SHAPE) return { ...record.draft, document: readWorkflow(record.workflow) };
    const document = patches.reduce((before, step) => apply(before, step), record.draft.document);
    return { ...record.draft, document, isDirty: record.draft.isDirty || patches.length > 0 };
  } catch {
    // A record that makes no sense must not keep the others from being restored.
    return null;
  }
}

async function dropEntries(transaction: IDBTransaction, draft: string): Promise<void> {
  const journal = transaction.objectStore("journal");
  const keys = await answered(journal.index("draft").getAllKeys(draft));
  for (const key of keys) journal.delete(key);
}
