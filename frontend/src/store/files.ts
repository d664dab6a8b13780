/** Opening, saving and drafts: between files, the server's workflows, the browser's storage and the document. */
import { type GraphNode, EMPTY_DOCUMENT, type NodeId, type Point, type WorkflowDocument } from "../graph/document.ts";
import { type Json, type JsonObject, writeJson } from "../graph/json.ts";
import { neededBytes, openFile, openJson, openText, type Opened } from "../graph/open_file.ts";
import { definitionOf, linkedInputs, socketsOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { writePrompt } from "../graph/write_prompt.ts";
import { writeWorkflow } from "../graph/write_workflow.ts";
import { defaultSize, NOTHING_SHOWN, placeNode } from "../canvas/geometry.ts";
import type { Job } from "../protocol/jobs.ts";
import type { ServerApi } from "../protocol/api.ts";
import type { Drafts } from "./drafts.ts";
import type { Editor } from "./editor.ts";
import type { Layout } from "./layout.ts";
import type { Runner } from "./runner.ts";

const DRAFT_DELAY_MS = 250;

export class Files {
  private readonly editor: Editor;
  private readonly api: ServerApi;
  private readonly runner: Runner;
  private readonly drafts: Drafts;
  private readonly layout: Layout;
  private readonly draftId: string;
  private draftTimer: ReturnType<typeof setTimeout> | null = null;

  constructor(parts: {
    editor: Editor;
    api: ServerApi;
    runner: Runner;
    layout: Layout;
    drafts: Drafts;
    draftId: string;
  }) {
    this.editor = parts.editor;
    this.api = parts.api;
    this.runner = parts.runner;
    this.drafts = parts.drafts;
    this.layout = parts.layout;
    this.draftId = parts.draftId;
  }

  /** Shows this tab's draft, else the latest one, else the default workflow; then keeps the draft up to date. */
  async restore(defaultWorkflow: Json): Promise<void> {
    const draft = await this.drafts
      .load(this.draftId)
      .then((own) => own ?? this.drafts.latest())
      .catch(() => null);
    const opened = draft && openJson(draft.name, draft.workflow, this.editor.definitions);
    if (draft && opened?.ok) {
      this.editor.load(opened.document, draft.name, draft.stored);
      if (draft.isDirty) this.editor.documents.setState({ clean: EMPTY_DOCUMENT });
      if (draft.promptId !== null) this.runner.follow(draft.promptId);
    } else {
      await this.show(
        openJson("the default workflow", defaultWorkflow, await this.whenDefined(defaultWorkflow)),
        "Text to image",
      );
    }
    this.editor.documents.subscribe((state, before) => {
      if (
        state.history.document !== before.history.document ||
        state.name !== before.name ||
        state.clean !== before.clean
      ) {
        this.scheduleDraft();
      }
    });
    this.editor.runs.subscribe((run, before) => {
      if (run.waiting !== before.waiting) this.scheduleDraft();
    });
  }

  new(): void {
    this.editor.load(EMPTY_DOCUMENT, "Untitled");
  }

  async openFiles(files: Iterable<File>): Promise<void> {
    for (const file of files) {
      const bytes = await bytesOf(file);
      await this.ready();
      await this.show(await openFile(file.name, bytes, this.editor.definitions), baseName(file.name));
    }
  }

  /** Opens pasted text if it is a workflow or a prompt. */
  async openPasted(text: string): Promise<void> {
    await this.ready();
    await this.show(openText("the pasted text", text, this.editor.definitions), "Pasted");
  }

  /** Opens the workflow that a job was made from. */
  async openJob({ number, workflow }: Pick<Job, "number" | "workflow">): Promise<void> {
    if (!workflow) return;
    await this.ready();
    await this.show(openJson(`the workflow of job ${number}`, workflow, this.editor.definitions), `Job ${number}`);
  }

  async openStored(path: string): Promise<boolean> {
    return this.guarded(async () => {
      const text = await this.api.readStored(path);
      await this.ready();
      await this.show(openText(path, text, this.editor.definitions), baseName(path), path);
    });
  }

  /** False when a file of that name exists and may not be replaced, or the server refused. */
  async store(path: string, overwrite: boolean): Promise<boolean> {
    let wasWritten = false;
    await this.guarded(async () => {
      wasWritten = await this.api.writeStored(path, this.workflowText(), overwrite);
      if (!wasWritten) return;
      this.editor.saved(baseName(path), path);
      this.editor.toast("success", `Saved “${baseName(path)}” on the server.`);
    });
    return wasWritten;
  }

  /** Saves where it was stored before; a new document asks for a name. */
  async save(): Promise<void> {
    const { stored } = this.editor.documents.getState();
    if (stored === null) this.editor.ui.setState({ dialog: "save" });
    else await this.store(stored, true);
  }

  downloadWorkflow(): void {
    const { name, stored } = this.editor.documents.getState();
    download(`${name}.json`, this.workflowText());
    this.editor.saved(name, stored);
  }

  downloadPrompt(): void {
    const { name } = this.editor.documents.getState();
    download(`${name}.prompt.json`, writeJson(writePrompt(this.editor.document, this.editor.definitions), 2));
  }

  workflow(): JsonObject {
    return writeWorkflow(this.editor.document, this.editor.definitions);
  }

  private workflowText(): string {
    return writeJson(this.workflow(), 2);
  }

  private async show(opened: Opened, name: string, stored: string | null = null): Promise<void> {
    if (!opened.ok) {
      this.editor.toast("error", opened.message);
      return;
    }
    const document = opened.needsLayout ? await this.arranged(opened.document) : opened.document;
    this.editor.load(document, name, stored);
    if (opened.notice !== null) this.editor.toast("info", opened.notice);
    const unknown = this.unknownTypes(document);
    if (unknown.length > 0 && this.editor.documents.getState().hasDefinitions) {
      const names = unknown.slice(0, 3).join(", ") + (unknown.length > 3 ? ` and ${unknown.length - 3} more` : "");
      this.editor.toast(
        "info",
        `This server does not know ${names}. Their nodes stand as placeholders and keep all their data.`,
      );
    }
  }

  private unknownTypes(document: WorkflowDocument): string[] {
    const unknown = Object.values(document.nodes).filter(
      (node) => !definitionOf(document, this.editor.definitions, node),
    );
    return [...new Set(unknown.map((node) => node.type))];
  }

  private async arranged(document: WorkflowDocument): Promise<WorkflowDocument> {
    const sized = sizedNodes(document, this.editor);
    const byId = new Map(sized.map((node) => [node.id, node]));
    const ids = sized.map((node) => node.id);
    const none = new Map<NodeId, Point>();
    // Unarranged is still open; the reason is said.
    const positions = await this.layout
      .arrange(document, ids, (id) => byId.get(id)?.size ?? [200, 100])
      .catch((error: unknown) => {
        this.editor.toast("error", String(error));
        return none;
      });
    const nodes = sized.map((node) => [node.id, { ...node, pos: positions.get(node.id) ?? node.pos }]);
    return { ...document, nodes: Object.fromEntries(nodes) };
  }

  /** A prompt can only be drawn with definitions; a workflow does not need them. */
  private async ready(): Promise<void> {
    const { documents } = this.editor;
    if (documents.getState().hasDefinitions) return;
    await Promise.race([
      new Promise<void>((resolve) => {
        const stop = documents.subscribe((state) => {
          if (!state.hasDefinitions) return;
          stop();
          resolve();
        });
      }),
      new Promise((resolve) => setTimeout(resolve, 5000)),
    ]);
  }

  private async whenDefined(raw: Json): Promise<Editor["definitions"]> {
    const opened = openJson("", raw, this.editor.definitions);
    if (opened.ok && opened.needsLayout) await this.ready();
    return this.editor.definitions;
  }

  private scheduleDraft(): void {
    if (this.draftTimer !== null) clearTimeout(this.draftTimer);
    this.draftTimer = setTimeout(() => void this.saveDraft(), DRAFT_DELAY_MS);
  }

  /** Writes the draft now; also called when the page is left. */
  async saveDraft(): Promise<void> {
    if (this.draftTimer !== null) clearTimeout(this.draftTimer);
    this.draftTimer = null;
    const { name, stored } = this.editor.documents.getState();
    const { waiting, last } = this.editor.runs.getState();
    const promptId = [...waiting.keys()].at(-1) ?? last?.promptId ?? null;
    const draft = { id: this.draftId, name, stored, promptId, isDirty: this.editor.isDirty, savedAt: Date.now() };
    try {
      await this.drafts.save({ ...draft, workflow: this.workflow() });
    } catch {
      this.editor.toast("error", "The draft could not be kept in this browser; save the workflow to a file.");
    }
  }

  private async guarded(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.editor.toast("error", error instanceof Error ? error.message : String(error));
      return false;
    }
  }
}

/** The nodes in the size that their content needs. */
function sizedNodes(document: WorkflowDocument, { definitions }: Pick<Editor, "definitions">): GraphNode[] {
  const linked = linkedInputs(document);
  return Object.values(document.nodes).map((node): GraphNode => {
    const definition = definitionOf(document, definitions, node);
    const wanted = { ...node, size: node.size[0] > 0 ? node.size : defaultSize(definition) };
    const sockets = socketsOf(wanted, definition, linked.get(node.id));
    const box = placeNode(wanted, sockets, widgetsOf(wanted, definition), NOTHING_SHOWN);
    return { ...wanted, size: [box.width, box.height] };
  });
}

/** As much of a file as opening it needs: a checkpoint's header, not all its tensors. */
async function bytesOf(file: File): Promise<Uint8Array> {
  const start = new Uint8Array(await file.slice(0, 16).arrayBuffer());
  const end = neededBytes(start) ?? file.size;
  return new Uint8Array(await file.slice(0, end).arrayBuffer());
}

function baseName(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(/\.(json|png|webp|mp4|mov|webm|mkv|latent|safetensors|txt)$/i, "");
}

function download(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
