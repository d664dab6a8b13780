/** The queue panel, what nodes show while they run, and packs that failed: as a person sees them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, editor, isFake, only, page, ready, shoot, useEditor, waitForRun } from "./harness.mjs";

useEditor();

const setNumber = async (name, value) => {
  const field = page.getByRole("spinbutton", { name: new RegExp(`^${name},`) });
  await field.fill(String(value));
  await field.press("Enter");
};
const fixSeed = () => page.getByRole("combobox", { name: /seed, .*: at each run/ }).selectOption("fixed");
const jobs = (state) => page.locator(`.job[data-state="${state}"]`);
const openQueue = async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("q");
  await page.getByRole("complementary", { name: "Queue" }).waitFor();
};

/** The server is held back while jobs are added, or it might end the first before the last is there. */
const hold = async (pause) => {
  const answer = await page.request.post(new URL("/queue", page.url()).href, { data: { pause } });
  assert.equal(answer.status(), 200);
};

test("the queue shows what runs and what waits; one that waits is cancelled, the rest is done", async () => {
  await fixSeed();
  await openQueue();
  await hold(true);
  for (const seed of [101, 102, 103]) {
    await setNumber("seed", seed + Math.floor(Math.random() * 1e9) * 1000);
    await page.keyboard.press("Control+Enter");
  }
  await jobs("pending").nth(2).waitFor();
  await shoot(page, "queue-waiting");
  const id = await jobs("pending").last().getAttribute("data-job");
  await jobs("pending")
    .last()
    .getByRole("button", { name: /^Cancel/ })
    .click();
  await page.locator(`.job[data-job="${id}"]`).waitFor({ state: "detached" });
  await hold(false);
  await jobs("success").nth(1).waitFor();
  await waitForRun(page);
  assert.equal(await page.locator(`.job[data-job="${id}"]`).count(), 0);
  await shoot(page, "queue-done");
});

test("a job that has ended says what was different, runs again as it was, and gives its workflow back", async () => {
  await fixSeed();
  await openQueue();
  await setNumber("seed", 7_000_001);
  await page.keyboard.press("Control+Enter");
  await waitForRun(page);
  await setNumber("seed", 7_000_002);
  await page.keyboard.press("Control+Enter");
  await waitForRun(page);
  const latest = jobs("success").first();
  await latest.locator(".job-differences", { hasText: "seed 7000002" }).waitFor();
  await latest.locator("img").waitFor();
  await setNumber("seed", 5);
  const [request] = await Promise.all([
    page.waitForRequest((candidate) => candidate.method() === "POST" && candidate.url().endsWith("/prompt")),
    latest.getByRole("button", { name: "Run again" }).click(),
  ]);
  const sampler = await only("KSampler");
  assert.equal(request.postDataJSON().prompt[sampler].inputs.seed, 7_000_002);
  await waitForRun(page);
  assert.equal(await ask(page, "value", sampler, "seed"), 5, "the document is as it was");
  await jobs("success").first().getByRole("button", { name: "Open its workflow" }).click();
  await page.waitForFunction((id) => window.__heddle.value(id, "seed") === 7_000_002, sampler);
});

test("a job is forgotten", async () => {
  await openQueue();
  await page.keyboard.press("Control+Enter");
  await waitForRun(page);
  const first = jobs("success").first();
  await first.waitFor();
  const id = await first.getAttribute("data-job");
  await first.getByRole("button", { name: /^Forget/ }).click();
  await page.locator(`.job[data-job="${id}"]`).waitFor({ state: "detached" });
});

/** A frame with the text that a node shows while it runs. */
function textFrame(node, text) {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(3, 0);
  head.writeUInt32BE(Buffer.byteLength(node), 4);
  return Buffer.concat([head, Buffer.from(node), Buffer.from(text)]);
}

test("a text that a node sends while it runs is shown on it", { skip: !isFake }, async () => {
  const sampler = await only("KSampler");
  for (const socket of editor.fake.state.clients.values()) socket.send(textFrame(sampler, "step 3 of 20: all is well"));
  await page.locator(`[data-node="${sampler}"] .shown-text`, { hasText: "all is well" }).waitFor();
});

test("a pack that was not loaded is named, with its sentence", { skip: !isFake }, async () => {
  editor.fake.state.packs = [
    {
      name: "sharper",
      node_types: [],
      error: "It needs the module 'cv2', which is not installed.",
      traceback: ["line 1"],
    },
    { name: "fine", node_types: ["A"], error: null, traceback: [] },
  ];
  await page.reload();
  await ready(page);
  await page.getByRole("button", { name: "1 pack failed" }).click();
  const problems = page.getByRole("region", { name: "Problems" });
  await problems.getByText("It needs the module 'cv2', which is not installed.").waitFor();
  assert.match(await problems.innerText(), /node pack sharper/);
  await shoot(page, "queue-pack-failed");
  editor.fake.state.packs = [];
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
