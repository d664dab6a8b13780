/** Runs, as a person sees them: progress, previews, cached and failed nodes, interruption, lost connections. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, editor, isFake, only, page, ready, shoot, useEditor, waitForRun } from "./harness.mjs";

useEditor();

const setNumber = async (name, value) => {
  const field = page.getByRole("spinbutton", { name: new RegExp(`^${name},`) });
  await field.fill(String(value));
  await field.press("Enter");
};
const stateOf = async (type) => (await ask(page, "run")).states[await only(type)];

test("a run shows progress and a preview, then the picture; the title counts", async () => {
  const sampler = await only("KSampler");
  await setNumber("seed", Math.floor(Math.random() * 1e9));
  // All of these pass by: they are waited for from before the run begins.
  await Promise.all([
    page.waitForFunction((id) => window.__heddle.run().previews.includes(id), sampler, { timeout: 60_000 }),
    page.getByRole("progressbar", { name: /KSampler progress/ }).waitFor(),
    page.getByAltText("Live preview").waitFor(),
    page.waitForFunction(() => /^\[\d+ %\]/.test(document.title)),
    page.getByRole("button", { name: "Run", exact: true }).click(),
  ]);
  await shoot(page, "running-preview");
  await waitForRun(page);
  const picture = page.locator(`[data-node="${await only("SaveImage")}"] img`);
  await picture.waitFor();
  assert.ok(await picture.evaluate((image) => image.decode().then(() => image.naturalWidth > 0)));
  assert.equal((await ask(page, "run")).outcome, "success");
  await shoot(page, "running-done");
});

test("after a change of the seed only what depends on it runs again", async () => {
  await setNumber("seed", 1);
  await page.keyboard.press("Control+Enter");
  await waitForRun(page, "idle");
  await setNumber("seed", 2);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().phase !== "idle");
  await waitForRun(page);
  assert.equal(await stateOf("CheckpointLoaderSimple"), "cached");
  assert.equal(await stateOf("CLIPTextEncode"), "cached");
  assert.equal(await stateOf("KSampler"), "done");
  assert.equal(await page.locator(".badge.cached").count(), await page.locator('[data-state="cached"]').count());
  await shoot(page, "running-cached");
});

test("a drawn seed is shown, is the one that is sent, and can be kept", async () => {
  const sampler = await only("KSampler");
  await page.getByRole("combobox", { name: /seed, .*: at each run/ }).selectOption("randomize");
  const before = await ask(page, "value", sampler, "seed");
  let sent = null;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/prompt"))
      sent = request.postDataJSON().prompt[sampler].inputs.seed;
  });
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().promptId !== null);
  const shown = await ask(page, "value", sampler, "seed");
  assert.notEqual(shown, before);
  assert.equal(sent, shown);
  await waitForRun(page);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction((value) => window.__heddle.value(...value) !== undefined, [sampler, "seed"]);
  await waitForRun(page);
  await page.getByRole("button", { name: /Keep last used seed/ }).click();
  assert.equal(await ask(page, "value", sampler, "control_after_generate"), "fixed");
  assert.equal(await ask(page, "value", sampler, "seed"), sent);
});

test("a run is interrupted", async () => {
  await setNumber("seed", Math.floor(Math.random() * 1e9));
  await setNumber("steps", 200);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => Object.values(window.__heddle.run().states).includes("running"), null, {
    timeout: 60_000,
  });
  await page.waitForTimeout(300);
  await page.keyboard.press("Control+Alt+Enter");
  await page.waitForFunction(() => window.__heddle.run().outcome === "interrupted", null, { timeout: 30_000 });
});

test("an input that the server refuses is named on the node and in the panel, which leads there", async () => {
  const sampler = await only("KSampler");
  await page.mouse.click(...(await ask(page, "titlePoint", await only("CheckpointLoaderSimple"))));
  await page.keyboard.press("Delete");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().problems.length > 0);
  const panel = page.getByRole("region", { name: "Problems" });
  await panel.waitFor();
  assert.match(await panel.innerText(), /KSampler[\s\S]*model[\s\S]*Required input is missing/);
  assert.ok(await page.locator(`[data-node="${sampler}"] .node-error`).isVisible());
  await ask(page, "setViewport", { x: 4000, y: 4000, scale: 1 });
  await panel
    .getByRole("button", { name: /KSampler/ })
    .first()
    .click();
  await page.locator(`[data-node="${sampler}"]`).waitFor();
  assert.deepEqual(await ask(page, "selection"), [sampler]);
  await shoot(page, "running-refused");
});

test("a node that fails says why", { skip: !isFake && "scripted by the fake server" }, async () => {
  await setNumber("denoise", 0.13);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().outcome === "error");
  assert.equal(await stateOf("KSampler"), "error");
  assert.match(await page.locator(".node-error").innerText(), /not a number at step 3/);
  await shoot(page, "running-failed");
});

test(
  "a lost connection comes back, and the run that ended meanwhile is caught up",
  { skip: !isFake && "cuts the fake server's sockets" },
  async () => {
    await setNumber("seed", 77_001);
    await setNumber("steps", 40);
    await page.keyboard.press("Control+Enter");
    await page.waitForFunction(() => window.__heddle.run().previews.length > 0);
    editor.fake.cut();
    await page.waitForFunction(() => window.__heddle.run().outcome === "success", null, { timeout: 20_000 });
    await page.locator(`[data-node="${await only("SaveImage")}"] img`).waitFor();
  },
);

test("a reload loses neither the edits nor the run", async () => {
  const sampler = await only("KSampler");
  await setNumber("seed", 424_242);
  await setNumber("steps", 15);
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().phase !== "idle");
  await page.waitForTimeout(500);
  await page.reload();
  await ready(page);
  assert.equal(await ask(page, "value", sampler, "seed"), 424_242);
  await page.waitForFunction(() => Object.keys(window.__heddle.run().pictures).length > 0, null, { timeout: 60_000 });
  await page.locator(`[data-node="${await only("SaveImage")}"] img`).waitFor();
});
