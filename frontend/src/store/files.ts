/** Opening: from files, the server's workflows, templates, jobs and earlier versions; always beside what is open. */
import { type GraphNode, EMPTY_DOCUMENT, type NodeId, type Point, type WorkflowDocument } from "../graph/document.ts";
import type { Json } from "../graph/json.ts";
import { neededBytes, openFile, openJson, openText, type Opened } from "../graph/open_file.ts";
import { isWorkflow } from "../graph/read_workflow.ts";
import { definitionOf, linkedInputs, socketsOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { defaultSize, NOTHING_SHOWN, placeNode } from "../canvas/geometry.ts";
import type { Job } from "../protocol/jobs.ts";
import type { ServerApi } from "../protocol/api.ts";
import type { Editor } from "./editor.ts";
import { baseName } from "./file_names.ts";
import type { Layout } from "./layout.ts";
import { type Origin, type Tabs, UNTITLED } from "./tabs.ts";
import type { Version } from "./versions.ts";

/** A workflow that comes with the editor. */
export interface Template {
  readonly name: string;
  readonly load: () => Promise<Json>;
}

export class Files {
  private readonly editor: Editor;
  private readonly api: ServerApi;
  private readonly layout: Layout;
  private readonly tabs: Tabs;

  constructor(parts: { editor: Editor; api: ServerApi; layout: Layout; tabs: Tabs }) {
    this.editor = parts.editor;
    this.api = parts.api;
    this.layout = parts.layout;
    this.tabs = parts.tabs;
  }

  new(): void {
    this.tabs.open(EMPTY_DOCUMENT, UNTITLED);
  }

  async openFiles(files: Iterable<File>): Promise<void> {
    for (const file of files) {
      const bytes = await bytesOf(file);
      await this.ready();
      await this.show(await openFile(file.name, bytes, this.editor.definitions), { name: baseName(file.name) });
    }
  }

  /** Opens pasted text if it is a workflow or a prompt. */
  async openPasted(text: string): Promise<void> {
    await this.ready();
    await this.show(openText("the pasted text", text, this.editor.definitions), { name: "Pasted" });
  }

  /** Opens the workflow that a job was made from. */
  async openJob({ number, workflow }: Pick<Job, "number" | "workflow">): Promise<void> {
    if (!workflow) return;
    await this.ready();
    const opened = openJson(`the workflow of job ${number}`, workflow, this.editor.definitions);
    await this.show(opened, { name: `Job ${number}` });
  }

  async openTemplate({ name, load }: Template): Promise<void> {
    await this.guarded(async () => {
      const raw = await load();
      if (!isWorkflow(raw)) await this.ready();
      await this.show(openJson(`the template “${name}”`, raw, this.editor.definitions), { name });
    });
  }

  /** Opens a version that this browser kept, beside what is open. */
  async openVersion({ name, workflow }: Pick<Version, "name" | "workflow">): Promise<void> {
    await this.show(openJson(name, workflow, this.editor.definitions), { name: `${name} (earlier)` });
  }

  /** Opens a workflow of the server, or shows the tab that has it. True when it is there. */
  async openStored(path: string): Promise<boolean> {
    const known = this.tabs.withFile(path);
    if (known !== undefined) {
      this.tabs.activate(known);
      return true;
    }
    return this.openFromServer(path, { name: baseName(path), stored: path });
  }

  /** Opens what is on the server now beside the tab that has an older state of it. */
  async openTheirs(path: string): Promise<boolean> {
    return this.openFromServer(path, { name: `${baseName(path)} (on the server)` });
  }

  private openFromServer(path: string, origin: Pick<Origin, "name"> & Partial<Origin>): Promise<boolean> {
    return this.guarded(async () => {
      const { text, version } = await this.api.readStored(path);
      await this.ready();
      const opened = openText(path, text, this.editor.definitions);
      await this.show(opened, { ...origin, storedVersion: origin.stored === undefined ? null : version });
    });
  }

  private async show(opened: Opened, origin: Pick<Origin, "name"> & Partial<Origin>): Promise<void> {
    if (!opened.ok) {
      this.editor.toast("error", opened.message);
      return;
    }
    const document = opened.needsLayout ? await this.arranged(opened.document) : opened.document;
    this.tabs.open(document, { ...UNTITLED, ...origin });
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
