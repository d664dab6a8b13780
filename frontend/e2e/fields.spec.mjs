/** What is wrong before a run, long lists, weights in texts, seeds in plain words. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, drag, editor, only, page, ready, shoot, useEditor, waitForRun } from "./harness.mjs";

useEditor();

const faults = () => page.getByRole("button", { name: /^\d+ faults?$/ });

test("an input that needs a link and has none is marked and counted before any run, and leads to its node", async () => {
  const save = await only("SaveImage");
  assert.equal(await faults().count(), 0);
  const socket = await ask(page, "slotPoint", save, "input", "images");
  await page.keyboard.down("Control");
  await page.keyboard.down("Alt");
  await page.mouse.click(...socket);
  await page.keyboard.up("Alt");
  await page.keyboard.up("Control");
  await page.locator(`.node[data-node="${save}"] .socket.faulty .socket-dot`).waitFor();
  await faults().click();
  const problems = page.getByRole("region", { name: "Problems" });
  await problems.getByText(/“images” needs a link from an output of type IMAGE/).waitFor();
  await shoot(page, "fault");
  await problems.locator("button.locate").first().click();
  assert.deepEqual(await ask(page, "selection"), [save]);
  const decode = await only("VAEDecode");
  await drag(
    page,
    await ask(page, "slotPoint", decode, "output", 0),
    await ask(page, "slotPoint", save, "input", "images"),
  );
  await faults().waitFor({ state: "detached" });
});

test("the bar fits a window of 1280 by 720 at 150 %, with a fault and a run behind it", async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+Enter");
  await waitForRun(page);
  await page.locator("[data-outcome]").waitFor();
  await page.mouse.click(...(await ask(page, "titlePoint", await only("VAEDecode"))));
  await page.keyboard.press("Shift+Delete");
  await faults().waitFor();
  const size = page.viewportSize();
  await page.setViewportSize({ width: 853, height: 480 });
  const room = await page
    .getByRole("toolbar", { name: "Editor" })
    .evaluate((bar) => [bar.scrollWidth, bar.clientWidth]);
  await shoot(page, "small");
  await page.setViewportSize(size);
  assert.ok(room[0] <= room[1], `${room[0]} of ${room[1]} pixels`);
});

test("a long list is made only where it is seen, and its last choice is reached by key", async () => {
  const combo = page.getByRole("combobox", { name: "sampler_name, KSampler" });
  await combo.click();
  const list = page.getByRole("listbox", { name: "sampler_name, KSampler" });
  await list.waitFor();
  const count = Number(await list.getByRole("option").first().getAttribute("aria-setsize"));
  assert.ok((await list.getByRole("option").count()) < count);
  await page.keyboard.press("End");
  const last = list.locator(`[aria-posinset="${count}"]`);
  await last.waitFor();
  const name = await last.textContent();
  await page.keyboard.press("Enter");
  assert.equal(await ask(page, "value", await only("KSampler"), "sampler_name"), name);
});

test("Ctrl and the arrows change the weight of the word at the caret, and the field undoes it", async () => {
  const field = page.getByRole("textbox", { name: /^text, Positive/ });
  await field.fill("a red cube");
  await field.evaluate((element) => element.setSelectionRange(4, 4));
  await page.keyboard.press("Control+ArrowUp");
  assert.equal(await field.inputValue(), "a (red:1.05) cube");
  await page.keyboard.press("Control+ArrowUp");
  assert.equal(await field.inputValue(), "a (red:1.1) cube");
  await page.keyboard.press("Control+z");
  assert.equal(await field.inputValue(), "a (red:1.05) cube");
});

test("a seed says in words what it does at each run", async () => {
  const seed = page.getByRole("combobox", { name: /seed, .*: at each run/ });
  assert.deepEqual(await seed.locator("option").allTextContents(), [
    "Locked",
    "Count up",
    "Count down",
    "New seed each run",
  ]);
});

/** Loads the page again with other node definitions; `page.unroute` ends it. */
async function redefine(change) {
  await page.route("**/object_info", async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    change(json);
    await route.fulfill({ response, json });
  });
  await page.reload();
  await ready(page);
}

test("advanced inputs stand behind a line that the keyboard opens, undo closes and a save keeps", async () => {
  const isSaved = async () => {
    const { nodes } = await ask(page, "workflow");
    return nodes.find((node) => node.type === "KSampler").flags?.advanced === true;
  };
  const field = page.getByRole("spinbutton", { name: "denoise, KSampler" });
  await field.waitFor();
  await redefine((info) => {
    info.KSampler.input.required.denoise[1].advanced = true;
  });
  const line = page.getByRole("button", { name: "Advanced inputs of KSampler" });
  await line.waitFor();
  assert.equal(await field.count(), 0);
  await shoot(page, "advanced");
  await line.focus();
  await page.keyboard.press("Enter");
  await field.waitFor();
  assert.equal(await line.getAttribute("aria-expanded"), "true");
  assert.ok(await isSaved());
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  await field.waitFor({ state: "detached" });
  assert.ok(!(await isSaved()));
  await page.unroute("**/object_info");
});

test("a number that is defined as a slider is slid by key and by hand, and a slide is one step of undo", async () => {
  await redefine((info) => {
    Object.assign(info.KSampler.input.required.denoise[1], { display: "slider" });
  });
  const sampler = await only("KSampler");
  const slider = page.getByRole("slider", { name: "Slider of denoise, KSampler" });
  await slider.focus();
  await page.keyboard.press("Home");
  assert.equal(await ask(page, "value", sampler, "denoise"), 0);
  for (let times = 0; times < 3; times += 1) await page.keyboard.press("ArrowRight");
  assert.equal(await ask(page, "value", sampler, "denoise"), 0.03);
  assert.equal(await page.getByRole("spinbutton", { name: "denoise, KSampler" }).inputValue(), "0.03");
  await shoot(page, "slider");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  assert.equal(await ask(page, "value", sampler, "denoise"), 0.02);
  const { x, y, width, height } = await slider.boundingBox();
  await drag(page, [x + 12, y + height / 2], [x + width - 1, y + height / 2]);
  assert.equal(await ask(page, "value", sampler, "denoise"), 1);
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  assert.equal(await ask(page, "value", sampler, "denoise"), 0.02);
  await page.unroute("**/object_info");
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
