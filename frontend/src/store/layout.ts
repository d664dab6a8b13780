/** Asks the worker for layouts. The worker, and the library in it, are loaded when the first one is asked for. */
import type { Plan, Positions } from "../graph/arrange.ts";
import { linksOf, type Network, type NodeId, type Point } from "../graph/document.ts";

interface Answer {
  readonly id: number;
  readonly positions: Positions;
}

export class Layout {
  private worker: Worker | null = null;
  private count = 0;

  /** Positions of these nodes. `sizeOf` gives a body's size; the title bar stands above it. */
  arrange(network: Network, ids: readonly NodeId[], sizeOf: (id: NodeId) => Point): Promise<Map<NodeId, Point>> {
    const plan: Plan = {
      sizes: ids.map((id) => [id, sizeOf(id)]),
      links: linksOf(network).map((link) => [link.source, link.target]),
    };
    this.worker ??= new Worker(new URL("../worker/arrange_worker.ts", import.meta.url), { type: "module" });
    const { worker } = this;
    this.count += 1;
    const id = this.count;
    return new Promise((resolve, reject) => {
      const stop = new AbortController();
      const answered = ({ data }: MessageEvent<Answer>): void => {
        if (data.id !== id) return;
        stop.abort();
        resolve(new Map(data.positions));
      };
      const failed = (): void => {
        stop.abort();
        this.worker = null;
        reject(new Error("The layout could not be worked out; the nodes stay where they are."));
      };
      worker.addEventListener("message", answered, { signal: stop.signal });
      worker.addEventListener("error", failed, { signal: stop.signal });
      worker.postMessage({ id, plan }, []);
    });
  }
}
