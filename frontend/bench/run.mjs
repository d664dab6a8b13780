/**
 * The editor's speed against litegraph.js, in one run in one browser: `npm run bench`, after `npm run build`.
 * Prints a table and ends with 1 if a limit is missed. Only the ratios can be compared between machines.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { startFakeServer } from "../e2e/fake-server.mjs";
import { openOurs, openTheirs } from "./canvases.mjs";
import { cpuPerFrame, dragNode, frameIntervals, pan, quantile, zoom } from "./measure.mjs";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const ROUNDS = Number(process.env.HEDDLE_BENCH_ROUNDS ?? 3);
const [NODES, LINKS] = [1000, 1500];
const VIEWS = [
  { name: "zoom 1", limit: 1 },
  { name: "zoom 0.5", limit: 1 },
  { name: "whole graph", limit: 0.5 },
];
const lines = [];
let isMissed = false;

function say(what, measured, limit, isMet) {
  isMissed ||= !isMet;
  lines.push([what, measured, limit, isMet ? "" : "MISSED"]);
}

/** A node near the middle of the view, and a place beside it where nothing is. */
async function standAt(canvas, view, whole) {
  const node = 12 * 40 + 20;
  if (view === "whole graph") {
    await canvas.look(whole);
    return { node, empty: [40, canvas.box.height - 12] };
  }
  const scale = view === "zoom 1" ? 1 : 0.5;
  const [x, y] = [19 * 320, 12 * 270];
  const { width, height } = canvas.box;
  await canvas.look({ x: width / 2 - (x + 120) * scale, y: height / 2 - (y + 98) * scale, scale });
  return { node, empty: [width / 2 - 140 * scale, height / 2 + 119 * scale] };
}

async function compare(ours, theirs) {
  await ours.look(null);
  const whole = await ours.viewport();
  for (const { name, limit } of VIEWS) {
    const costs = { pan: [[], []], zoom: [[], []], drag: [[], []] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [side, canvas] of [ours, theirs].entries()) {
        await canvas.page.bringToFront();
        for (const gesture of ["pan", "zoom", "drag"]) {
          const { node, empty } = await standAt(canvas, name, whole);
          await canvas.page.waitForTimeout(400);
          const act = { pan: pan(empty), zoom, drag: dragNode(node) }[gesture];
          const before = JSON.stringify([await canvas.viewport(), await canvas.at(node)]);
          costs[gesture][side].push(await cpuPerFrame(canvas, act));
          const after = JSON.stringify([await canvas.viewport(), await canvas.at(node)]);
          if (gesture !== "zoom" && before === after) throw new Error(`The ${gesture} at ${name} moved nothing.`);
        }
      }
    }
    for (const [gesture, [own, other]] of Object.entries(costs)) {
      const [a, b] = [quantile(own, 0.5), quantile(other, 0.5)];
      const ratio = a / b;
      say(
        `${gesture} at ${name}, main thread a frame`,
        `${a.toFixed(1)} ms against ${b.toFixed(1)} ms: ${ratio.toFixed(2)}`,
        `${limit.toFixed(1)}`,
        ratio <= limit,
      );
    }
  }
}

/** The scripts that the page loads before anything is asked for. */
async function initialScripts() {
  const page = await readFile(join(DIST, "index.html"), "utf8");
  const seen = new Set();
  const visit = async (path) => {
    if (seen.has(path)) return;
    seen.add(path);
    const text = await readFile(join(DIST, path), "utf8");
    for (const [, name] of text.matchAll(/(?:^|[;}\n])import[^"'()]*["']\.\/([^"']+\.js)["']/g)) {
      await visit(`assets/${name}`);
    }
  };
  for (const [, path] of page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+\.js)"/g)) await visit(path);
  const sizes = await Promise.all([...seen].map(async (path) => gzipSync(await readFile(join(DIST, path))).length));
  return sizes.reduce((sum, size) => sum + size, 0) / 1000;
}

/** From the navigation until the nodes of the first workflow stand on the page and the canvas is drawn. */
async function firstPaint(context, url) {
  const page = await context.newPage();
  await page.addInitScript(() => {
    const look = () => {
      if (document.querySelector(".node")) window.usableAt = performance.now();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  const times = [];
  for (let round = 0; round < ROUNDS + 1; round += 1) {
    await page.goto(url);
    await page.waitForFunction(() => window.usableAt !== undefined);
    times.push(await page.evaluate(() => window.usableAt));
  }
  await page.close();
  return quantile(times, 0.5);
}

async function main() {
  if (!(await readdir(DIST).catch(() => [])).includes("index.html")) {
    throw new Error("There is no dist/ yet: run “npm run build” first.");
  }
  const server = await startFakeServer();
  const profile = await mkdtemp(join(tmpdir(), "heddle-bench-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.HEDDLE_CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
    viewport: { width: 1600, height: 900 },
    headless: true,
  });
  try {
    const usable = await firstPaint(context, server.url);
    say("first workflow usable after navigation", `${usable.toFixed(0)} ms`, "1000 ms", usable < 1000);
    const ours = await openOurs(context, server.url, NODES, LINKS);
    say(`open ${NODES} nodes, ${LINKS} links`, `${ours.loadMs.toFixed(0)} ms`, "400 ms", ours.loadMs <= 400);
    const theirs = await openTheirs(context, ours.box, NODES, LINKS);
    await compare(ours, theirs);
    await Promise.all([ours.page.close(), theirs.page.close()]);
    const large = await openOurs(context, server.url, 5000, 7500);
    await large.look(null);
    await large.page.waitForTimeout(500);
    const { median, p95 } = await frameIntervals(large, pan([40, large.box.height - 12]));
    const shown = `${p95.toFixed(1)} ms (median ${median.toFixed(1)} ms)`;
    say("pan over the whole of 5,000 nodes, p95 between frames", shown, "33 ms", p95 < 33);
    const size = await initialScripts();
    say("JavaScript at start, gzip", `${size.toFixed(0)} kB`, "250 kB", size <= 250);
  } finally {
    await context.close();
    await server.close();
    await rm(profile, { recursive: true, force: true });
  }
  const width = Math.max(...lines.map(([what]) => what.length));
  for (const [what, measured, limit, verdict] of lines) {
    console.log(`${what.padEnd(width)}  ${measured.padEnd(36)} limit ${limit.padEnd(8)} ${verdict}`);
  }
  process.exitCode = isMissed ? 1 : 0;
}

await main();
