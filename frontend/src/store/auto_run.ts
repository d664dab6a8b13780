/** Runs the workflow whenever it would make something else than what was sent last, while this is switched on. */
import { writeJson } from "../graph/json.ts";
import { writePrompt } from "../graph/write_prompt.ts";
import type { Editor } from "./editor.ts";
import { phaseOf } from "./run_state.ts";
import type { Runner } from "./runner.ts";

/** Milliseconds without a change before it runs: nobody wants a run for each letter. */
const QUIET = 500;

export class AutoRun {
  private readonly editor: Editor;
  private readonly runner: Runner;
  private sent = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(editor: Editor, runner: Runner) {
    this.editor = editor;
    this.runner = runner;
  }

  start(): void {
    this.editor.documents.subscribe((state, before) => {
      if (state.history.document !== before.history.document) this.soon();
    });
    this.editor.runs.subscribe((state, before) => {
      if (phaseOf(state) === "idle" && phaseOf(before) !== "idle") this.soon();
    });
    this.editor.ui.subscribe((state, before) => {
      if (!state.runsOnChange || before.runsOnChange) return;
      // What stands there when it is switched on is not a change.
      this.sent = this.current();
    });
  }

  private soon(): void {
    clearTimeout(this.timer);
    if (this.editor.ui.getState().runsOnChange) this.timer = setTimeout(() => void this.run(), QUIET);
  }

  /** While something runs nothing is sent; its end asks again. */
  private async run(): Promise<void> {
    if (!this.editor.ui.getState().runsOnChange || phaseOf(this.editor.runs.getState()) !== "idle") return;
    if (this.current() === this.sent) return;
    await this.runner.run();
    // Drawn seeds are part of what was sent, and no reason to run again.
    this.sent = this.current();
  }

  private current(): string {
    return writeJson(writePrompt(this.editor.document, this.editor.definitions));
  }
}
