// Drives @saintno/comfyui-sdk against the server at argv[2] with the prompt in argv[3]; prints what came of each call as
// JSON. It lies beside the installed package when it runs.
import { readFileSync } from "node:fs";
import { CallWrapper, ComfyApi, PromptBuilder } from "@saintno/comfyui-sdk";

const [url, file] = process.argv.slice(2);
const graph = JSON.parse(readFileSync(file, "utf8"));
const api = new ComfyApi(url, "sdk");
const found = {};

async function note(name, ask) {
  try {
    found[name] = await ask();
  } catch (error) {
    found[name] = `failed: ${error?.stack ?? error}`;
  }
}

function run(prompt) {
  return new Promise((resolve) => {
    const told = new Set();
    const hear = (name) => () => told.add(name);
    const builder = new PromptBuilder(prompt, [], ["images"]).setOutputNode("images", "9");
    new CallWrapper(api, builder)
      .onPending(hear("pending"))
      .onStart(hear("start"))
      .onPreview(hear("preview"))
      .onProgress(hear("progress"))
      .onOutput(hear("output"))
      .onFinished(async (outputs) => {
        const picture = await api.getImage(outputs.images.images[0]);
        resolve({ told: [...told].sort(), bytes: [...new Uint8Array(await picture.arrayBuffer()).slice(0, 4)] });
      })
      .onFailed((error) => resolve({ failed: error.name, nodes: Object.keys(error.cause?.node_errors ?? {}) }))
      .run();
  });
}

await api.init(20, 500).waitForReady();
await note("ping", async () => (await api.ping()).status);
await note("version", async () => (await api.getSystemStats()).system.comfyui_version);
await note("checkpoints", () => api.getCheckpoints());
await note("samplers", async () => (await api.getSamplerInfo()).sampler[0].includes("euler"));
await note("node", async () => Object.keys(await api.getNodeDefs("KSampler")));
await note("no such node", () => api.getNodeDefs("No such node"));
await note("folders", async () => (await api.getModelFolders()).some((folder) => folder.name === "loras"));
await note("upload", async () => (await api.uploadImage(Buffer.from("x"), "sdk.png")).info.filename);
await note("setting", async () => {
  await api.storeSetting("sdk.number", 5);
  return await api.getSetting("sdk.number");
});
await note("user data", async () => {
  await api.storeUserData("workflows/sdk.json", { a: 1 }, { overwrite: true, stringify: true });
  const read = await (await api.getUserData("workflows/sdk.json")).json();
  await api.deleteUserData("workflows/sdk.json");
  return [read, await api.listUserData("workflows")];
});
await note("log", async () => {
  await api.setTerminalSubscription(true);
  await api.setTerminalSubscription(false);
  return Array.isArray((await api.getTerminalLogs()).entries);
});
await note("free", () => api.freeMemory(true, true));
await note("run", () => run(graph));
await note("bad", () => run({ ...graph, 3: { ...graph[3], inputs: { ...graph[3].inputs, seed: "x" } } }));
await note("history", async () => Object.keys(await api.getHistories(10)).length);
await note("queue", () => api.getQueue());
await note("interrupt", async () => (await api.interrupt()) ?? null);
console.log(JSON.stringify(found));
process.exit(0);
