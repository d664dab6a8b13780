/** The layout in a thread of its own: a large graph takes seconds, in which the editor goes on. */
import { arrange, type Plan } from "../graph/arrange.ts";

addEventListener("message", ({ data }: MessageEvent<{ readonly id: number; readonly plan: Plan }>) => {
  postMessage({ id: data.id, positions: arrange(data.plan) });
});
