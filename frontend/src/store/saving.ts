/**
 * Saving: on the server, whole or not at all, and never over what somebody else saved there meanwhile; as a download;
 * and the versions that are kept in this browser.
 */
import { type JsonObject, writeJson } from "../graph/json.ts";
import { replaceDocument } from "../graph/commands.ts";
import { EMPTY_DOCUMENT } from "../graph/document.ts";
import { readWorkflow } from "../graph/read_workflow.ts";
import { writePrompt } from "../graph/write_prompt.ts";
import { writeWorkflow } from "../graph/write_workflow.ts";
import type { ServerApi } from "../protocol/api.ts";
import type { DocumentState, Editor } from "./editor.ts";
import { baseName } from "./file_names.ts";
import type { Tabs } from "./tabs.ts";
import type { Reason, Version, Versions } from "./versions.ts";

/** What may stand where the workflow is to be stored: nothing, what it was read from, or anything. */
export type Replacing = "nothing" | "own" | "anything";
export type Stored = "stored" | "taken" | "changed" | "failed";

export class Saving {
  readonly versions: Versions;
  private readonly editor: Editor;
  private readonly api: ServerApi;
  private readonly tabs: Tabs;

  constructor(parts: { editor: Editor; api: ServerApi; tabs: Tabs; versions: Versions }) {
    this.editor = parts.editor;
    this.api = parts.api;
    this.tabs = parts.tabs;
    this.versions = parts.versions;
  }

  /** Keeps a version whenever a run is sent. */
  start(): void {
    this.editor.runs.subscribe((run, before) => {
      if ([...run.waiting.keys()].some((id) => !before.waiting.has(id))) void this.keepVersion("run");
    });
  }

  /** Saves where it was stored before; a new document asks for a name. True when it was saved. */
  async save(): Promise<boolean> {
    const { stored } = this.editor.documents.getState();
    if (stored === null) {
      this.editor.ui.setState({ dialog: "save" });
      return false;
    }
    const result = await this.store(stored, "own");
    if (result === "changed") this.editor.ui.setState({ dialog: "conflict" });
    return result === "stored";
  }

  async store(path: string, replacing: Replacing): Promise<Stored> {
    const state = this.editor.documents.getState();
    const version = path === state.stored ? state.storedVersion : null;
    const condition =
      replacing === "nothing" ? { overwrite: false } : replacing === "own" && version !== null ? { version } : {};
    try {
      const written = await this.api.writeStored(path, writeJson(this.workflow(), 2), condition);
      if (typeof written === "string") return written;
      this.tabs.update(state.tab, {
        name: baseName(path),
        stored: path,
        storedVersion: written.version,
        // What was done while the server wrote is not saved.
        clean: state.history.document,
      });
      this.editor.toast("success", `Saved “${baseName(path)}” on the server.`);
      await this.keepVersion("save", state.tab);
      return "stored";
    } catch (error) {
      this.editor.toast("error", error instanceof Error ? error.message : String(error));
      return "failed";
    }
  }

  /** Gives a stored workflow another path. A tab that has it open goes along. */
  async rename(path: string, target: string): Promise<void> {
    if (!(await this.api.moveStored(path, target))) {
      this.editor.toast("error", `“${target.replace(/\.json$/, "")}” exists already.`);
      return;
    }
    const tab = this.tabs.withFile(path);
    if (tab !== undefined) this.tabs.update(tab, { stored: target, name: baseName(target) });
  }

  /** Deletes a stored workflow. A tab that has it open keeps it, as one that is not saved. */
  async delete(path: string): Promise<void> {
    await this.api.deleteStored(path);
    const tab = this.tabs.withFile(path);
    if (tab !== undefined) this.tabs.update(tab, { stored: null, storedVersion: null, clean: { ...EMPTY_DOCUMENT } });
    this.editor.toast("info", `“${baseName(path)}” was deleted on the server.`);
  }

  downloadWorkflow(): void {
    const { name, tab, history } = this.editor.documents.getState();
    download(`${name}.json`, writeJson(this.workflow(), 2));
    this.tabs.update(tab, { clean: history.document });
    void this.keepVersion("save");
  }

  downloadPrompt(): void {
    const { name } = this.editor.documents.getState();
    download(`${name}.prompt.json`, writeJson(writePrompt(this.editor.document, this.editor.definitions), 2));
  }

  /** The workflow that is shown, as the file that saving would write. */
  workflow(): JsonObject {
    return fileOf(this.editor.documents.getState());
  }

  /** Keeps the workflow of a tab as it is now. That it cannot be kept stops nothing. */
  async keepVersion(reason: Reason, tab: string = this.tabs.active): Promise<void> {
    const state = this.tabs.stateOf(tab);
    if (!state || Object.keys(state.history.document.nodes).length === 0) return;
    const { name, stored: file } = state;
    await this.versions.add({ tab, file, name, reason, at: Date.now(), workflow: fileOf(state) }).catch(() => {});
  }

  /** Shows an earlier version in place of the present one, as a step that can be undone. */
  async restoreVersion({ workflow, at }: Version): Promise<void> {
    await this.keepVersion("restore");
    this.editor.endGesture();
    this.editor.do(replaceDocument(readWorkflow(workflow), `restore version of ${new Date(at).toLocaleString()}`));
    this.editor.select([]);
  }
}

function fileOf({ history, definitions }: DocumentState): JsonObject {
  return writeWorkflow(history.document, definitions);
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
