/** Sends runs and follows them: the only place that joins the server's messages to the editor's state. */
import { newUuid } from "../graph/uuid.ts";
import { setValue } from "../graph/commands.ts";
import { expandTexts } from "../graph/expand_texts.ts";
import { nodeId, type NodeId } from "../graph/document.ts";
import { partOf } from "../graph/part_prompt.ts";
import { writePrompt } from "../graph/write_prompt.ts";
import { writeWorkflow } from "../graph/write_workflow.ts";
import type { ServerApi, Submission } from "../protocol/api.ts";
import type { Job } from "../protocol/jobs.ts";
import type { BinaryMessage, ServerMessage } from "../protocol/messages.ts";
import { type Connection, ServerSocket } from "../protocol/socket.ts";
import { controlKey, controlledValues, drawValues } from "./controls.ts";
import type { Editor } from "./editor.ts";
import { caughtUp, filledIn, forgotten, placeOf, reduceRun, refused, submitted, withPreview } from "./run_state.ts";

const DEFINITIONS_RETRY_MS = 1000;

export class Runner {
  private readonly editor: Editor;
  private readonly api: ServerApi;
  private readonly socket: ServerSocket;
  private readonly watchers = new Set<(message: ServerMessage) => void>();

  constructor(editor: Editor, api: ServerApi) {
    this.editor = editor;
    this.api = api;
    this.socket = new ServerSocket(api.socketUrl, {
      onMessage: (message) => this.receive(message),
      onBinary: (message) => this.receiveBinary(message),
      onConnection: (connection) => this.setConnection(connection),
    });
  }

  start(): void {
    this.socket.connect();
    void this.loadDefinitions();
    // Of what ran while another workflow was shown, some may have been missed.
    this.editor.documents.subscribe((state, before) => {
      if (state.tab !== before.tab && this.editor.ui.getState().connection === "open") void this.resync();
    });
  }

  /** Tells of every message, before it changes what is shown. */
  watch(watcher: (message: ServerMessage) => void): void {
    this.watchers.add(watcher);
  }

  stop(): void {
    this.socket.close();
  }

  /** Asks until there are definitions: the server is up before its worker knows the nodes. */
  async loadDefinitions(): Promise<void> {
    for (let isWaiting = true; isWaiting;) {
      try {
        const definitions = await this.api.definitions();
        if (definitions.size > 0) {
          this.editor.setDefinitions(definitions);
          isWaiting = false;
          void this.loadPackProblems();
        }
      } catch {
        // Not up yet; the connection's badge says so.
      }
      if (isWaiting) await new Promise((resolve) => setTimeout(resolve, DEFINITIONS_RETRY_MS));
    }
  }

  private async loadPackProblems(): Promise<void> {
    const { ui } = this.editor;
    const before = ui.getState().packProblems;
    // A server without packs may not know the question.
    const packProblems = await this.api.packProblems().catch(() => []);
    ui.setState({ packProblems });
    const fresh = packProblems.filter(({ name }) => !before.some((known) => known.name === name));
    for (const { name, error } of fresh) this.editor.toast("error", `The node pack “${name}” was not loaded: ${error}`);
  }

  /** Takes up a prompt of before a reload, so that its messages count and its result is fetched. */
  follow(promptId: string): void {
    if (!this.editor.runs.getState().waiting.has(promptId)) {
      this.editor.runs.setState((run) => submitted(run, promptId, Object.keys(this.editor.document.nodes)));
    }
    if (this.editor.ui.getState().connection === "open") void this.resync();
  }

  /** As often as the batch says; each time with seeds of its own. */
  async runBatch(front = false): Promise<void> {
    const { batch } = this.editor.ui.getState();
    for (let count = 0; count < batch; count += 1) if (!(await this.run({ front }))) return;
  }

  /** The whole workflow, or `only` these nodes and what they need. True when the server took it. */
  async run({ front = false, only }: { front?: boolean; only?: Iterable<NodeId> } = {}): Promise<boolean> {
    const { editor } = this;
    if (!editor.documents.getState().hasDefinitions) {
      editor.toast("info", "The server is still loading its nodes; try again in a moment.");
      return false;
    }
    this.drawSeeds();
    const { document, definitions } = editor;
    const whole = expandTexts(writePrompt(document, definitions), { document, definitions }, Math.random, new Date());
    const prompt = only ? partOf(whole, only, definitions) : whole;
    if (Object.keys(prompt).length === 0) {
      const what = only ? "nothing that is selected is active." : "the workflow has no active node.";
      editor.toast("info", `There is nothing to run: ${what}`);
      return false;
    }
    const workflow = writeWorkflow(document, definitions);
    const wasTaken = await this.send(Object.keys(prompt), (id) => this.api.submit(id, prompt, workflow, front));
    if (wasTaken) this.rememberSeeds();
    return wasTaken;
  }

  /** Runs a job of the queue's panel once more, as it was. */
  async again(job: Pick<Job, "prompt" | "extra">): Promise<void> {
    await this.send(Object.keys(job.prompt), (id) => this.api.submitAgain(id, job));
  }

  /** True when the server took the prompt. */
  private async send(nodes: readonly string[], submit: (promptId: string) => Promise<Submission>): Promise<boolean> {
    const { editor } = this;
    const promptId = newUuid();
    editor.runs.setState((run) => submitted({ ...run, problems: [] }, promptId, nodes));
    editor.ui.setState({ isProblemsOpen: false });
    try {
      const answer = await submit(promptId);
      if (answer.promptId === null) this.forget(promptId);
      if (answer.promptId !== null && answer.promptId !== promptId) {
        this.forget(promptId);
        this.follow(answer.promptId);
      }
      if (answer.problems.length > 0 || answer.message !== null) {
        editor.runs.setState((run) => refused(run, answer.problems, answer.message));
        editor.ui.setState({ isProblemsOpen: true });
      }
      return answer.promptId !== null;
    } catch (error) {
      this.forget(promptId);
      editor.toast("error", error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  async interrupt(): Promise<void> {
    try {
      await this.api.interrupt();
    } catch (error) {
      this.editor.toast("error", error instanceof Error ? error.message : String(error));
    }
  }

  private forget(promptId: string): void {
    this.editor.runs.setState((run) => forgotten(run, promptId, performance.now()), true);
  }

  private drawSeeds(): void {
    const { lastUsed } = this.editor.documents.getState();
    const drawn = drawValues(this.editor.document, this.editor.definitions, lastUsed, Math.random);
    this.editor.endGesture();
    for (const { node, widget, value } of drawn) this.editor.doQuietly(setValue(node, widget, value).recipe);
  }

  private rememberSeeds(): void {
    const used = controlledValues(this.editor.document, this.editor.definitions);
    const lastUsed = new Map(used.map(({ node, widget, value }) => [controlKey(node, widget), value]));
    this.editor.documents.setState({ lastUsed });
  }

  private receive(message: ServerMessage): void {
    for (const watch of this.watchers) watch(message);
    const { runs, ui } = this.editor;
    const before = runs.getState();
    const after = reduceRun(before, message, performance.now());
    if (message.type === "execution_start") for (const url of Object.values(before.previews)) URL.revokeObjectURL(url);
    runs.setState(after, true);
    if (after.isJoined && after.last && after.running === null && before.waiting !== after.waiting) {
      void this.fillIn(after.last.promptId);
    }
    if (message.type === "execution_error" && after.problems.length > before.problems.length)
      ui.setState({ isProblemsOpen: true });
  }

  private receiveBinary(message: BinaryMessage): void {
    if (message.type === "text") {
      const { runs } = this.editor;
      runs.setState((run) => ({ texts: { ...run.texts, [placeOf(run, message.node)]: [message.text] } }));
      return;
    }
    const { runs } = this.editor;
    const before = runs.getState();
    const url = URL.createObjectURL(message.image);
    const after = withPreview(before, message.promptId, message.node, url);
    if (after === before) return URL.revokeObjectURL(url);
    for (const [node, old] of Object.entries(before.previews))
      if (after.previews[node] !== old) URL.revokeObjectURL(old);
    runs.setState(after, true);
  }

  private async fillIn(promptId: string): Promise<void> {
    const result = await this.api.finished(promptId).catch(() => null);
    if (result) this.editor.runs.setState((run) => filledIn(run, promptId, result), true);
  }

  private setConnection(connection: Connection): void {
    this.editor.ui.setState({ connection });
    if (connection === "open") void this.resync();
  }

  /** Messages may have been missed: what waited may have ended by now. */
  private async resync(): Promise<void> {
    const { runs, documents } = this.editor;
    const { tab } = documents.getState();
    try {
      const alive = await this.api.queue();
      if (documents.getState().tab !== tab) return;
      for (const promptId of runs.getState().waiting.keys()) {
        if (alive.has(promptId)) continue;
        const result = await this.api.finished(promptId);
        if (documents.getState().tab !== tab) return;
        if (result) runs.setState((run) => caughtUp(run, promptId, result, performance.now()), true);
        else this.forget(promptId);
      }
    } catch {
      // The connection broke again; the next one tries anew.
    }
  }

  /** Selects the node that a problem is about. */
  nodeOf(problemNode: string): NodeId | null {
    const id = nodeId(problemNode);
    return id in this.editor.document.nodes ? id : null;
  }
}
