/**
 * A page of the editor in Chromium, for tests. HEDDLE_URL names a server to test against; without it each test file
 * starts the fake one. HEDDLE_CHROMIUM names the browser. Pictures of failures go to HEDDLE_SHOTS or test-results/.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startFakeServer } from "./fake-server.mjs";

const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
export const SHOTS = process.env.HEDDLE_SHOTS ?? fileURLToPath(new URL("../test-results/", import.meta.url));
export const isFake = !process.env.HEDDLE_URL;

/** The page and the editor of the test file that called useEditor(). */
export let editor;
export let page;

/** One editor for all tests of a file; each test begins on a page that remembers nothing. */
export function useEditor() {
  before(async () => {
    editor = await openEditor();
    page = editor.page;
  });
  after(() => editor.close());
  beforeEach(async () => {
    await page.evaluate(() => indexedDB.deleteDatabase("heddle"));
    await page.evaluate(() => {
      sessionStorage.clear();
      localStorage.removeItem("heddle.habits");
    });
    await page.reload();
    await ready(page);
  });
}

/** The id of the first node of a class. */
export const only = async (type) => (await ask(page, "nodesOfType", type))[0];

/** Opens the editor; close() ends browser and server. `origins` are the hosts that the page asked, `errors` its own. */
export async function openEditor({ stepMs = 40, size = { width: 1600, height: 900 }, theme = "dark" } = {}) {
  const fake = isFake ? await startFakeServer({ stepMs }) : null;
  const url = process.env.HEDDLE_URL ?? fake.url;
  const profile = await mkdtemp(join(tmpdir(), "heddle-e2e-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium",
    args: ARGUMENTS,
    viewport: size,
    colorScheme: theme,
    headless: true,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const origins = new Set();
  const errors = [];
  page.on("request", (request) => /^(https?|wss?):/.test(request.url()) && origins.add(new URL(request.url()).host));
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (400|404|409)/.test(message.text())) errors.push(message.text());
  });
  await page.goto(url);
  await ready(page);
  const close = async () => {
    await context.close();
    await fake?.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page, context, fake, url, origins, errors, close };
}

/** A folder of its own, gone with the test. */
export async function temporaryFolder(t) {
  const folder = await mkdtemp(join(tmpdir(), "heddle-e2e-"));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A browser that can be killed as a power cut would: `kill` ends its process by its id, without a word. */
export async function openMortalBrowser(profile, url) {
  const portFile = join(profile, "DevToolsActivePort");
  await rm(portFile, { force: true });
  const options = [
    "--headless=new",
    "--remote-debugging-port=0",
    `--user-data-dir=${profile}`,
    "--hide-crash-restore-bubble",
  ];
  const child = spawn(process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium", [...ARGUMENTS, ...options, "about:blank"], {
    stdio: "ignore",
  });
  const gone = once(child, "exit");
  const port = await firstLine(portFile, child);
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  const context = browser.contexts()[0];
  const page = context.pages()[0] ?? (await context.newPage());
  await page.setViewportSize({ width: 1600, height: 900 });
  await page.goto(url);
  await ready(page);
  const kill = async () => {
    process.kill(child.pid, "SIGKILL");
    await gone;
    await browser.close().catch(() => {});
  };
  return { page, context, kill };
}

async function firstLine(file, child) {
  for (let tries = 0; tries < 600 && child.exitCode === null; tries += 1) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.includes("\n")) return text.split("\n")[0];
    await sleep(100);
  }
  throw new Error("The browser did not start.");
}

/** The editor has a document and the server's node definitions. */
export async function ready(page) {
  await page.waitForFunction(() => window.__heddle?.isReady() && window.__heddle.nodeIds().length > 0, null, {
    timeout: 60_000,
  });
  await page.waitForTimeout(150);
}

export const ask = (page, name, ...args) =>
  page.evaluate(([method, values]) => window.__heddle[method](...values), [name, args]);

export async function shoot(page, name) {
  await mkdir(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** A real drag with the mouse, in steps, as a hand does it. */
export async function drag(page, from, to, { steps = 8, beforeUp } = {}) {
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(...to, { steps });
  await beforeUp?.();
  await page.mouse.up();
}

export async function waitForRun(page, phase = "idle", timeout = 120_000) {
  await page.waitForFunction((wanted) => window.__heddle.run().phase === wanted, phase, { timeout });
}

/** Opens files as if they had been chosen with the Open button. */
export async function openFile(page, file) {
  await page.keyboard.press("Control+o");
  await page.getByTestId("open-file").setInputFiles(file);
}
