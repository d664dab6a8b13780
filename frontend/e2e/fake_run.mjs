/** Plays a run to one client: the messages that the real server sends, in its order, with a cache of its own. */
import { discPng } from "./png.mjs";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function orderOf(prompt) {
  const done = new Set();
  const order = [];
  const visit = (id) => {
    if (done.has(id)) return;
    done.add(id);
    for (const value of Object.values(prompt[id].inputs)) if (isLink(value, prompt)) visit(value[0]);
    order.push(id);
  };
  for (const id of Object.keys(prompt)) visit(id);
  return order;
}

function isLink(value, prompt) {
  return Array.isArray(value) && value.length === 2 && value[0] in prompt;
}

/** What a node's result depends on; links stand for what they depend on. */
function signatureOf(id, prompt) {
  const { class_type, inputs } = prompt[id];
  const parts = Object.entries(inputs).map(([name, value]) => [
    name,
    isLink(value, prompt) ? [signatureOf(value[0], prompt), value[1]] : value,
  ]);
  return JSON.stringify([class_type, parts.sort()]);
}

/** `send` takes messages, `sendBinary` frames; `isInterrupted` is asked between steps. */
export async function playRun({ id, prompt, workflow, cache, files, send, sendBinary, isInterrupted, stepMs }) {
  const outputs = {};
  const stamp = () => ({ prompt_id: id, timestamp: Date.now() });
  const order = orderOf(prompt);
  const cached = order.filter((node) => cache.has(signatureOf(node, prompt)));
  send("execution_start", stamp());
  send("execution_cached", { nodes: cached, ...stamp() });
  for (const node of order) {
    const { class_type: type, inputs } = prompt[node];
    const signature = signatureOf(node, prompt);
    if (cached.includes(node)) {
      const output = cache.get(signature);
      if (output) {
        outputs[node] = output;
        send("executed", { node, display_node: node, output, prompt_id: id });
      }
      continue;
    }
    const state = (value, max, name) => ({
      [node]: { value, max, state: name, node_id: node, display_node_id: node, prompt_id: id },
    });
    send("progress_state", { prompt_id: id, nodes: state(0, 1, "running") });
    send("executing", { node, display_node: node, prompt_id: id });
    if (/KSampler/.test(type)) {
      if (inputs.denoise === 0.13) {
        send("execution_error", {
          ...stamp(),
          node_id: node,
          node_type: type,
          executed: [],
          exception_message: "The sampler met a value that is not a number at step 3.",
          exception_type: "ValueError",
          traceback: ["Traceback (most recent call last):\n", '  File "sampling.py", line 42, in k_sampler\n'],
          current_inputs: {},
          current_outputs: [],
        });
        return { outputs, status: "error" };
      }
      for (let step = 1; step <= inputs.steps; step += 1) {
        await wait(stepMs);
        if (isInterrupted()) {
          send("execution_interrupted", { ...stamp(), node_id: node, node_type: type, executed: [] });
          return { outputs, status: "interrupted" };
        }
        send("progress_state", { prompt_id: id, nodes: state(step, inputs.steps, "running") });
        sendBinary(previewFrame(id, node, step / inputs.steps));
        send("progress", { value: step, max: inputs.steps, prompt_id: id, node });
      }
    } else await wait(stepMs);
    const output = /SaveImage|PreviewImage/.test(type) ? save(files, type, { prompt, workflow }) : null;
    if (output) {
      outputs[node] = output;
      send("executed", { node, display_node: node, output, prompt_id: id });
    }
    cache.set(signature, output);
    send("progress_state", { prompt_id: id, nodes: state(1, 1, "finished") });
  }
  send("execution_success", stamp());
  return { outputs, status: "success" };
}

function save(files, type, { prompt, workflow }) {
  const folder = type === "SaveImage" ? "output" : "temp";
  const filename = `heddle_${String(files.size + 1).padStart(5, "0")}_.png`;
  const texts = { prompt: JSON.stringify(prompt), workflow: JSON.stringify(workflow) };
  files.set(`${folder}/${filename}`, discPng(128, [206, 52, 48], [22, 26, 52], texts));
  return { images: [{ filename, subfolder: "", type: folder }] };
}

function previewFrame(prompt_id, node_id, part) {
  const mix = (a, b) => Math.round(a + (b - a) * part);
  const image = discPng(48, [mix(120, 206), mix(120, 52), mix(120, 48)], [mix(110, 22), mix(110, 26), mix(115, 52)]);
  const about = Buffer.from(JSON.stringify({ node_id, prompt_id, display_node_id: node_id, image_type: "image/png" }));
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4, 0);
  head.writeUInt32BE(about.length, 4);
  return Buffer.concat([head, about, image]);
}
