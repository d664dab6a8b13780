/** Nothing that was done is ever lost: tabs, reloads, a killed browser, two windows on one file, a server that goes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startFakeServer } from "./fake-server.mjs";
import { ask, drag, openMortalBrowser, ready, shoot, temporaryFolder } from "./harness.mjs";

const tabsOf = (page) => page.getByRole("tablist", { name: "Open workflows" }).getByRole("tab");
const nameOf = (page, name) => page.getByRole("tab", { name: new RegExp(`^${name}`) });

let url = process.env.HEDDLE_URL;
let fake = null;
before(async () => {
  if (!url) fake = await startFakeServer({ stepMs: 40 });
  url ??= fake.url;
});
after(() => fake?.close());

const nodeOf = async (page, type) => (await ask(page, "nodesOfType", type))[0];

async function setNumber(page, name, value) {
  const field = page.getByRole("spinbutton", { name: new RegExp(`^${name},`) });
  await field.fill(String(value));
  await field.press("Enter");
}

async function moveNode(page, id, dx) {
  const title = await ask(page, "titlePoint", id);
  await drag(page, title, [title[0] + dx, title[1] + 30]);
}

/** Stores the workflow that is shown under a name of its own. */
async function store(page, name) {
  await page.keyboard.press("Control+Shift+s");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByRole("button", { name: "Save on the server" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

test("a browser that is killed in the middle of editing opens again with every tab as it was", async (t) => {
  const profile = await temporaryFolder(t);
  const first = await openMortalBrowser(profile, url);
  const { page } = first;
  const sampler = await nodeOf(page, "KSampler");
  await setNumber(page, "seed", 1234);
  await moveNode(page, sampler, 60);
  const edited = await ask(page, "workflow");
  await page.keyboard.press("Alt+n");
  await page.mouse.dblclick(...(await ask(page, "emptyPoint")));
  await page.getByRole("combobox", { name: "Search nodes" }).fill("empty latent image");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => window.__heddle.nodesOfType("EmptyLatentImage").length === 1);
  // The last command is an undo and one more: what is journalled is what is seen, not what was ever done.
  await setNumber(page, "width", 640);
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await setNumber(page, "height", 768);
  const added = await ask(page, "workflow");
  await page.waitForFunction(() => window.__heddle.isKept());
  await first.kill();

  const second = await openMortalBrowser(profile, url);
  t.after(() => second.kill().catch(() => {}));
  assert.deepEqual(await ask(second.page, "tabs"), ["Text to image", "Untitled"]);
  assert.equal(await tabsOf(second.page).count(), 2);
  await second.page.getByRole("status").filter({ hasText: "not saved when the window closed" }).waitFor();
  const withoutId = (workflow) => ({ ...workflow, id: null });
  assert.deepEqual(withoutId(await ask(second.page, "workflow")), withoutId(added));
  await shoot(second.page, "lasting-after-a-crash");
  await nameOf(second.page, "Text to image, not saved").click();
  assert.deepEqual(await ask(second.page, "workflow"), edited);
  await second.kill();
});

test("two windows that edit one file end in a question, not in an overwrite", async (t) => {
  const browser = await openMortalBrowser(await temporaryFolder(t), url);
  t.after(() => browser.kill().catch(() => {}));
  const { page, context } = browser;
  const name = `e2e/shared ${Date.now()}`;
  await store(page, name);
  const other = await context.newPage();
  await other.setViewportSize({ width: 1280, height: 720 });
  await other.goto(url);
  await ready(other);
  await other.keyboard.press("Control+o");
  await other
    .getByRole("dialog")
    .getByRole("button", { name: new RegExp(name.split("/")[1]) })
    .click();
  await other.waitForFunction((wanted) => document.title.includes(wanted), name.split("/")[1]);
  await setNumber(page, "steps", 11);
  await page.keyboard.press("Control+s");
  await page.getByRole("status").filter({ hasText: "Saved" }).first().waitFor();

  await other.bringToFront();
  await setNumber(other, "steps", 22);
  await other.keyboard.press("Control+s");
  const question = other.getByRole("dialog", { name: "Changed on the server" });
  await question.waitFor();
  await shoot(other, "lasting-conflict");
  await question.getByRole("button", { name: /in another tab/ }).click();
  await other.waitForFunction(() => window.__heddle.tabs().length === 3);
  assert.equal(await ask(other, "value", await nodeOf(other, "KSampler"), "steps"), 11, "theirs was not overwritten");
  await other.getByRole("tab", { name: /not saved/ }).click();
  assert.equal(await ask(other, "value", await nodeOf(other, "KSampler"), "steps"), 22, "ours is still here");
  await other.keyboard.press("Control+s");
  await question.getByRole("button", { name: "Save under another name…" }).click();
  await other.getByRole("textbox", { name: "Name", exact: true }).fill(`${name} mine`);
  await other.getByRole("button", { name: "Save on the server" }).click();
  await other.getByRole("dialog").waitFor({ state: "detached" });
  await setNumber(other, "steps", 23);
  await other.keyboard.press("Control+s");
  await other.getByRole("tab", { name: /mine$/ }).waitFor();
  await browser.kill();
});

/** A server that can be stopped and started again on its port: the real one where HEDDLE_PYTHON names a Python for it. */
async function startServer(t) {
  const folder = await temporaryFolder(t);
  let running = process.env.HEDDLE_PYTHON ? await startReal(folder, 0) : await startFakeServer({ stepMs: 150 });
  const { url } = running;
  const port = Number(new URL(url).port);
  const stop = () => running.close();
  const start = async () => {
    running = process.env.HEDDLE_PYTHON
      ? await startReal(folder, port)
      : await startFakeServer({ port, stepMs: 20, before: running.state });
  };
  t.after(stop);
  return { url, stop, start };
}

async function startReal(folder, port) {
  const folders = ["input", "output", "temp", "user"].flatMap((name) => [`--${name}-directory`, join(folder, name)]);
  const child = spawn(process.env.HEDDLE_PYTHON, ["main.py", "--cpu", "--port", String(port), ...folders], {
    cwd: fileURLToPath(new URL("../../", import.meta.url)),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const gone = once(child, "exit");
  const url = await new Promise((resolve, reject) => {
    let said = "";
    child.stdout.on("data", (part) => {
      said += part;
      const found = /http:\/\/\S+?:\d+/.exec(said);
      if (found) resolve(found[0]);
    });
    gone.then(() => reject(new Error("The server did not start.")));
  });
  return { url, close: () => (child.exitCode === null && process.kill(child.pid, "SIGKILL"), gone) };
}

test("a server that is stopped and started loses no edit, and the editor has the job as it is then", async (t) => {
  const server = await startServer(t);
  const browser = await openMortalBrowser(await temporaryFolder(t), server.url);
  t.after(() => browser.kill().catch(() => {}));
  const { page } = browser;
  const sampler = await nodeOf(page, "KSampler");
  await setNumber(page, "steps", 40);
  await setNumber(page, "seed", 4711);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => Object.values(window.__heddle.run().states).includes("running"), null, {
    timeout: 60_000,
  });
  await server.stop();
  await page.locator('[data-connection="lost"]').waitFor({ timeout: 30_000 });
  await setNumber(page, "cfg", 3.5);
  await moveNode(page, sampler, 70);
  const edited = await ask(page, "workflow");
  await server.start();
  await page.locator('[data-connection="good"]').waitFor({ timeout: 60_000 });
  await page.waitForFunction(() => window.__heddle.run().phase === "idle", null, { timeout: 120_000 });
  assert.deepEqual(await ask(page, "workflow"), edited);
  // The real server runs the job again; the fake one keeps no jobs.
  assert.equal((await ask(page, "run")).queueRemaining, 0);
  assert.equal((await ask(page, "run")).outcome, process.env.HEDDLE_PYTHON ? "success" : "interrupted");
  if (process.env.HEDDLE_PYTHON) {
    await page.locator(`[data-node="${await nodeOf(page, "SaveImage")}"] img`).waitFor();
  }
  await setNumber(page, "steps", 2);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().outcome === "success", null, { timeout: 120_000 });
  await browser.kill();
});
