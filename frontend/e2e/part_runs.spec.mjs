/** Runs of a part, of a batch, and on change; the queue paused and put in another order. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, editor, only, page, shoot, useEditor, waitForRun } from "./harness.mjs";

useEditor();

const setNumber = async (name, value) => {
  const field = page.getByRole("spinbutton", { name: new RegExp(`^${name},`) });
  await field.fill(String(value));
  await field.press("Enter");
};
const seedMode = (mode) => page.getByRole("combobox", { name: /seed, .*: at each run/ }).selectOption(mode);
const jobs = (state) => page.locator(`.job[data-state="${state}"]`);
const openQueue = async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("q");
  await page.getByRole("complementary", { name: "Queue" }).waitFor();
};
const fresh = () => Math.floor(Math.random() * 1e12);

test("running only to a node leaves what comes after it alone, and shows what it makes there", async () => {
  await seedMode("fixed");
  await setNumber("seed", fresh());
  const decode = await only("VAEDecode");
  await page.mouse.click(...(await ask(page, "titlePoint", decode)), { button: "right" });
  await page.getByRole("menuitem", { name: /Run only to here/ }).click();
  await page.waitForFunction((id) => window.__heddle.run().pictures[id]?.length === 1, decode, { timeout: 120_000 });
  await waitForRun(page);
  const { states } = await ask(page, "run");
  assert.equal(states[await only("KSampler")], "done");
  assert.equal(states[await only("SaveImage")], undefined);
  await shoot(page, "run-to-here");
});

test("a batch sends as many runs, each with a seed of its own", async () => {
  await seedMode("randomize");
  await openQueue();
  const before = await page.locator(".job").evaluateAll((all) => all.map((job) => job.dataset.job));
  await page.getByRole("spinbutton", { name: "Runs at once" }).fill("3");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+Enter");
  const sent = async () =>
    (await page.locator(".job").evaluateAll((all) => all.map((job) => job.dataset.job))).filter(
      (id) => !before.includes(id),
    );
  await page.waitForFunction(
    (known) => [...document.querySelectorAll(".job")].filter((job) => !known.includes(job.dataset.job)).length === 3,
    before,
    { timeout: 120_000 },
  );
  await waitForRun(page);
  const ids = await sent();
  const seeds = await page.evaluate(async (wanted) => {
    const history = await (await fetch("api/history")).json();
    return wanted.map((id) =>
      String(Object.values(history[id].prompt[2]).find((node) => node.class_type === "KSampler").inputs.seed),
    );
  }, ids);
  assert.equal(new Set(seeds).size, 3);
});

test("with running on change, a changed value runs by itself, and once", async () => {
  await seedMode("fixed");
  await setNumber("seed", fresh());
  await page.keyboard.press("Control+Enter");
  await waitForRun(page);
  const first = (await ask(page, "run")).promptId;
  await page.getByRole("button", { name: "Run whenever something changes" }).click();
  await setNumber("seed", fresh());
  await page.waitForFunction((id) => window.__heddle.run().promptId !== id, first, { timeout: 60_000 });
  await waitForRun(page);
  const second = (await ask(page, "run")).promptId;
  await page.waitForTimeout(1200);
  assert.equal((await ask(page, "run")).promptId, second);
});

test("a paused queue keeps its jobs, which are put in another order and then run in it", async () => {
  await seedMode("fixed");
  await openQueue();
  await page.getByRole("button", { name: "Pause the queue after what runs" }).click();
  await page.getByText("paused", { exact: true }).waitFor();
  for (let count = 0; count < 3; count += 1) {
    await setNumber("seed", fresh());
    await page.keyboard.press("Control+Enter");
    await jobs("pending").nth(count).waitFor();
  }
  const order = () => jobs("pending").evaluateAll((all) => all.map((job) => job.dataset.job));
  const [a, b, c] = await order();
  await page
    .locator(`.job[data-job="${c}"]`)
    .getByRole("button", { name: /sooner$/ })
    .click();
  await page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll('.job[data-state="pending"]')].map((job) => job.dataset.job).join() === wanted,
    [a, c, b].join(),
  );
  await page.locator(`.job[data-job="${b}"]`).dragTo(page.locator(`.job[data-job="${a}"]`), {
    targetPosition: { x: 100, y: 3 },
  });
  await page.waitForFunction(
    (wanted) =>
      [...document.querySelectorAll('.job[data-state="pending"]')].map((job) => job.dataset.job).join() === wanted,
    [b, a, c].join(),
  );
  await shoot(page, "queue-paused");
  await page.getByRole("button", { name: "Let the queue go on" }).click();
  await waitForRun(page);
  await page.locator(`.job[data-job="${c}"][data-state="success"]`).waitFor();
  const ended = await jobs("success").evaluateAll((all) => all.map((job) => job.dataset.job));
  assert.deepEqual(ended.slice(0, 3), [c, a, b]);
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
