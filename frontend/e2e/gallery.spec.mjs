/** The gallery with its lightbox and comparison, and the profile of a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, editor, only, page, shoot, useEditor, waitForRun } from "./harness.mjs";

useEditor();

const runWith = async (seed) => {
  await page.getByRole("combobox", { name: /seed, .*: at each run/ }).selectOption("fixed");
  const field = page.getByRole("spinbutton", { name: /^seed,/ });
  await field.fill(String(seed));
  await field.press("Enter");
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().phase !== "idle" || window.__heddle.run().outcome);
  await waitForRun(page);
};
const openGallery = async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("a");
  await page.getByRole("dialog", { name: "Gallery" }).waitFor();
  await page.locator(".thumbnail").first().waitFor();
};
const fresh = () => Math.floor(Math.random() * 1e12);

test("pictures are found by the text that made them, looked at in turn, and give their workflow back", async () => {
  const field = page.getByRole("textbox", { name: /^text, Positive/ });
  await field.fill(`a small red cube ${fresh()}`);
  const wanted = await field.inputValue();
  const seed = fresh();
  await runWith(seed);
  await openGallery();
  const find = page.getByRole("searchbox", { name: "Find a picture" });
  await find.fill(wanted);
  await page.waitForFunction(() => document.querySelectorAll(".thumbnail").length === 1);
  await page.getByRole("button", { name: /^Look at/ }).click();
  await page.locator(".lightbox img").waitFor();
  await shoot(page, "lightbox");
  await page.keyboard.press("Escape");
  await page.locator(".thumbnail").waitFor();
  await page.getByRole("button", { name: /^Look at/ }).click();
  await page.getByRole("button", { name: "Open its workflow" }).click();
  await page.getByRole("dialog", { name: "Gallery" }).waitFor({ state: "detached" });
  await page.waitForFunction(
    ([id, value]) => String(window.__heddle.value(id, "seed")) === value,
    [await only("KSampler"), String(seed)],
  );
});

test("the arrows go through the pictures", async () => {
  await runWith(fresh());
  await runWith(fresh());
  await openGallery();
  await page
    .getByRole("button", { name: /^Look at/ })
    .first()
    .click();
  const name = () => page.locator(".lightbox figcaption strong").textContent();
  const first = await name();
  await page.keyboard.press("ArrowRight");
  await page.waitForFunction(
    (before) => document.querySelector(".lightbox figcaption strong")?.textContent !== before,
    first,
  );
  await page.keyboard.press("ArrowLeft");
  await page.waitForFunction(
    (before) => document.querySelector(".lightbox figcaption strong")?.textContent === before,
    first,
  );
});

test("two pictures that are ticked are compared by a slider", async () => {
  await runWith(fresh());
  await runWith(fresh());
  await openGallery();
  const ticks = page.getByRole("checkbox", { name: /^Compare/ });
  await ticks.nth(0).check();
  await ticks.nth(1).click();
  const slider = page.getByRole("slider", { name: /is seen above/ });
  await slider.fill("20");
  assert.equal(await page.locator(".compare img[data-part]").getAttribute("data-part"), "20");
  await shoot(page, "compare");
  await page.getByRole("button", { name: "Choose others" }).click();
  await page.locator(".thumbnail").first().waitFor();
});

test("the profile of a run says how long each node took, and leads to it", async () => {
  await runWith(fresh());
  await page.locator("[data-outcome=success]").click();
  const dialog = page.getByRole("dialog", { name: "Run profile" });
  const sampler = await only("KSampler");
  const row = dialog.locator(`tr[data-node="${sampler}"]`);
  assert.match(await row.locator(".profile-time").textContent(), /\d+(\.\d+)? (ms|s)/);
  await shoot(page, "profile");
  await row.getByRole("button").click();
  await dialog.waitFor({ state: "detached" });
  assert.deepEqual(await ask(page, "selection"), [sampler]);
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
