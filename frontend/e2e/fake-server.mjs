/**
 * A stand-in for the server while the editor is developed: serves dist/, the protocol that the editor uses, and scripted
 * runs. Start it with `node e2e/fake-server.mjs [port]`. It validates like the real one only as far as tests need it.
 */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";
import { playRun } from "./fake_run.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const OBJECT_INFO = fileURLToPath(new URL("object_info.json", import.meta.url));
const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};
const CSP =
  "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self' ws: wss: blob:";

/** `before` is the state of a server that was stopped: what it stored and what it had done is still there. */
export async function startFakeServer({ port = 0, stepMs = 60, before = null } = {}) {
  const objectInfo = JSON.parse(await readFile(OBJECT_INFO, "utf8"));
  // A job that ran when the server ended is forgotten; this one has no disk.
  const state = before
    ? { ...before, clients: new Map(), queue: [], running: null, stepMs }
    : {
        clients: new Map(),
        queue: [],
        running: null,
        history: {},
        files: new Map(),
        stored: new Map(),
        cache: new Map(),
        interrupted: false,
        packs: [],
        count: 0,
        objectInfo,
        stepMs,
      };
  const server = createServer((request, response) => {
    handle(state, request, response).catch((error) => {
      response.writeHead(500).end(String(error.stack));
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    const id = new URL(request.url, "http://x").searchParams.get("clientId") ?? randomUUID();
    state.clients.set(id, socket);
    send(socket, "status", { status: { exec_info: { queue_remaining: remaining(state) } }, sid: id });
    socket.on("message", (data) => {
      if (JSON.parse(data.toString()).type === "feature_flags")
        send(socket, "feature_flags", { supports_preview_metadata: true });
    });
    socket.on("close", () => state.clients.get(id) === socket && state.clients.delete(id));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    state,
    /** Cuts all sockets, as a network would. */
    cut: () => sockets.clients.forEach((socket) => socket.terminate()),
    close: () => {
      sockets.clients.forEach((socket) => socket.terminate());
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(socket, type, data) {
  if (socket?.readyState === 1) socket.send(JSON.stringify({ type, data }));
}

const remaining = (state) => state.queue.length + (state.running ? 1 : 0);

function broadcastStatus(state) {
  for (const socket of state.clients.values())
    send(socket, "status", { status: { exec_info: { queue_remaining: remaining(state) } } });
}

async function handle(state, request, response) {
  const url = new URL(request.url, "http://x");
  const path = url.pathname.replace(/^\/api\//, "/");
  const json = (body, status = 200) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
  const body = request.method === "POST" ? await read(request) : null;
  if (path === "/object_info") return json(state.objectInfo);
  if (path === "/prompt") return submit(state, JSON.parse(body), json);
  if (path === "/interrupt") {
    state.interrupted = true;
    return response.end();
  }
  if (path === "/packs") return json(state.packs);
  if (path === "/queue" && body !== null) {
    const { delete: ids = [], pause, move } = JSON.parse(body);
    if (move) reorder(state, move);
    if (pause !== undefined) {
      state.isPaused = pause;
      void work(state);
    }
    state.queue = state.queue.filter((job) => !ids.includes(job.id));
    broadcastStatus(state);
    return response.end();
  }
  if (path === "/history" && body !== null) {
    for (const id of JSON.parse(body).delete ?? []) delete state.history[id];
    return response.end();
  }
  if (path === "/history") return json(state.history);
  if (path === "/queue") {
    const item = (job) => [job.number, job.id, job.prompt, job.extra, []];
    return json({
      queue_running: state.running ? [item(state.running)] : [],
      queue_pending: state.queue.map(item),
      queue_paused: state.isPaused === true,
    });
  }
  if (path.startsWith("/history/")) {
    const id = path.slice(9);
    return json(state.history[id] ? { [id]: state.history[id] } : {});
  }
  if (path === "/view") {
    const file = state.files.get(`${url.searchParams.get("type")}/${url.searchParams.get("filename")}`);
    return file ? response.writeHead(200, { "Content-Type": "image/png" }).end(file) : response.writeHead(404).end();
  }
  if (path === "/upload/image") return json(upload(state, body));
  if (path === "/userdata" || path.startsWith("/userdata/")) return userdata(state, request, response, url, body, json);
  return serveFile(path, response);
}

function read(request) {
  return new Promise((resolve) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts)));
  });
}

async function serveFile(path, response) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  try {
    const content = await readFile(file);
    response
      .writeHead(200, {
        "Content-Type": TYPES[extname(file)] ?? "application/octet-stream",
        "Content-Security-Policy": CSP,
      })
      .end(content);
  } catch {
    response.writeHead(404).end();
  }
}

function submit(state, body, json) {
  const errors = validate(state.objectInfo, body.prompt);
  if (errors) return json(errors, 400);
  const id = body.prompt_id ?? randomUUID();
  state.queue.push({
    id,
    prompt: body.prompt,
    client: body.client_id,
    workflow: body.extra_data?.extra_pnginfo?.workflow,
    extra: body.extra_data ?? {},
    number: (state.count += 1),
  });
  broadcastStatus(state);
  void work(state);
  return json({ prompt_id: id, number: 1, node_errors: {} });
}

function validate(objectInfo, prompt) {
  const unknown = Object.entries(prompt).find(([, node]) => !(node.class_type in objectInfo));
  if (unknown) {
    const [id, node] = unknown;
    const extra_info = { node_id: id, class_type: node.class_type };
    return {
      error: {
        type: "missing_node_type",
        message: `Node type ${node.class_type} is not installed`,
        details: `Node ID '#${id}'`,
        extra_info,
      },
      node_errors: {},
    };
  }
  const node_errors = {};
  for (const [id, node] of Object.entries(prompt)) {
    const required = objectInfo[node.class_type].input?.required ?? {};
    const errors = [];
    for (const [name, [type, options]] of Object.entries(required)) {
      const value = node.inputs[name];
      const extra_info = { input_name: name };
      if (value === undefined)
        errors.push({
          type: "required_input_missing",
          message: "Required input is missing",
          details: name,
          extra_info,
        });
      else if (Array.isArray(type) && type.length > 0 && !type.includes(value) && !Array.isArray(value)) {
        errors.push({
          type: "value_not_in_list",
          message: "Value not in list",
          details: `${name}: '${value}' not in [${type.join(", ")}]`,
          extra_info,
        });
      } else if (typeof options?.max === "number" && value > options.max) {
        errors.push({
          type: "value_bigger_than_max",
          message: `Value ${value} bigger than max of ${options.max}`,
          details: name,
          extra_info,
        });
      }
    }
    if (errors.length > 0) node_errors[id] = { errors, dependent_outputs: [], class_type: node.class_type };
  }
  if (Object.keys(node_errors).length === 0) return null;
  return {
    error: {
      type: "prompt_outputs_failed_validation",
      message: "Prompt outputs failed validation",
      details: "",
      extra_info: {},
    },
    node_errors,
  };
}

/** Numbers say the order; those of waiting jobs are given out anew. */
function reorder(state, { prompt_id, to, before, after }) {
  const numbers = state.queue.map((job) => job.number);
  const moved = state.queue.find((job) => job.id === prompt_id);
  const rest = state.queue.filter((job) => job !== moved);
  const at = (id) => rest.findIndex((job) => job.id === id);
  const place = before ? at(before) : after ? at(after) + 1 : to === "front" ? 0 : rest.length;
  state.queue = rest.toSpliced(place, 0, moved);
  state.queue.forEach((job, index) => Object.assign(job, { number: numbers[index] }));
}

async function work(state) {
  if (state.running || state.isPaused) return;
  const job = state.queue.shift();
  if (!job) return;
  state.running = job;
  state.interrupted = false;
  const startedAt = Date.now();
  const say = (type, data) => send(state.clients.get(job.client), type, data);
  const result = await playRun({
    ...job,
    cache: state.cache,
    files: state.files,
    stepMs: state.stepMs,
    send: say,
    sendBinary: (frame) => state.clients.get(job.client)?.send(frame),
    isInterrupted: () => state.interrupted,
  });
  const status = {
    status_str: result.status === "success" ? "success" : "error",
    completed: result.status === "success",
    messages: [
      ["execution_start", { timestamp: startedAt }],
      [`execution_${result.status}`, { timestamp: Date.now() }],
    ],
  };
  state.history[job.id] = { prompt: [job.number, job.id, job.prompt, job.extra, []], outputs: result.outputs, status };
  state.running = null;
  broadcastStatus(state);
  say("executing", { node: null, prompt_id: job.id });
  void work(state);
}

function upload(state, body) {
  const text = body.toString("latin1");
  const name = /filename="([^"]*)"/.exec(text)?.[1] ?? "upload.png";
  const start = text.indexOf("\r\n\r\n", text.indexOf("filename=")) + 4;
  state.files.set(`input/${name}`, body.subarray(start, text.indexOf("\r\n--", start)));
  state.objectInfo.LoadImage?.input.required.image[0].push(name);
  return { name, subfolder: "", type: "input" };
}

function userdata(state, request, response, url, body, json) {
  const path = decodeURIComponent(url.pathname.replace(/^(\/api)?\/userdata\/?/, ""));
  if (path === "") {
    return json(
      [...state.stored].map(([name, { text, modified }]) => ({
        path: name.replace(/^workflows\//, ""),
        size: text.length,
        modified,
      })),
    );
  }
  const tag = (file) => `"${file.version}"`;
  if (request.method === "POST" && path.includes("/move/")) {
    const [from, to] = path.split("/move/");
    if (state.stored.has(to)) return response.writeHead(409).end();
    state.stored.set(to, state.stored.get(from));
    state.stored.delete(from);
    return json(to);
  }
  const file = state.stored.get(path);
  if (request.method === "POST") {
    if (file && url.searchParams.get("overwrite") === "false")
      return response.writeHead(409).end("File already exists");
    const wanted = request.headers["if-match"];
    if (wanted !== undefined && (!file || wanted !== tag(file))) return response.writeHead(412).end();
    const stored = { text: body.toString(), modified: Date.now() / 1000, version: randomUUID() };
    state.stored.set(path, stored);
    response.setHeader("ETag", tag(stored));
    return json(path);
  }
  if (!file) return response.writeHead(404).end();
  if (request.method === "DELETE") {
    state.stored.delete(path);
    return response.writeHead(204).end();
  }
  return response.writeHead(200, { ETag: tag(file) }).end(file.text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startFakeServer({ port: Number(process.argv[2] ?? 8199) });
  console.log(url);
}
