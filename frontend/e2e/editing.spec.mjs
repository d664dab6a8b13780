/** Editing by hand: real pointer and key events on the built editor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, drag, editor, only, page, shoot, useEditor } from "./harness.mjs";

useEditor();

const linkInto = async (id, input) => {
  const prompt = await ask(page, "prompt");
  return prompt[id].inputs[input];
};

test("the first load shows the default workflow, whole", async () => {
  assert.ok((await ask(page, "nodesOfType", "KSampler")).length > 0);
  for (const id of await ask(page, "nodeIds"))
    assert.ok(await page.locator(`[data-node="${id}"]`).isVisible(), `node ${id} is visible`);
  await shoot(page, "editing-first-load");
});

test("the wheel zooms at the pointer, dragging the void pans, and . fits", async () => {
  const point = await ask(page, "emptyPoint");
  const start = await ask(page, "viewport");
  await page.mouse.move(...point);
  await page.mouse.wheel(0, -240);
  await page.waitForTimeout(80);
  const zoomed = await ask(page, "viewport");
  assert.ok(zoomed.scale > start.scale * 1.2);
  await drag(page, point, [point[0] + 120, point[1] - 60]);
  const panned = await ask(page, "viewport");
  assert.ok(Math.abs(panned.x - zoomed.x - 120) < 2 && Math.abs(panned.y - zoomed.y + 60) < 2);
  await page.keyboard.press(".");
  assert.ok(Math.abs((await ask(page, "viewport")).scale - start.scale) < 0.001);
});

test("a node is selected, dragged, undone and redone", async () => {
  const id = await only("KSampler");
  const before = (await ask(page, "workflow")).nodes.find((node) => String(node.id) === id).pos;
  const title = await ask(page, "titlePoint", id);
  await drag(page, title, [title[0] + 90, title[1] + 40]);
  assert.deepEqual(await ask(page, "selection"), [id]);
  const position = async () => (await ask(page, "workflow")).nodes.find((node) => String(node.id) === id).pos;
  const moved = await position();
  assert.ok(moved[0] > before[0] + 50 && moved[1] > before[1] + 20);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await position(), before);
  await page.keyboard.press("Control+Shift+z");
  assert.deepEqual(await position(), moved);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+y");
  assert.deepEqual(await position(), moved);
});

test("Shift and a drag select several nodes, which move together", async () => {
  await ask(page, "setViewport", { x: 40, y: 120, scale: 0.6 });
  await page.waitForTimeout(100);
  const box = await page.locator(".canvas").boundingBox();
  await page.keyboard.down("Shift");
  await drag(page, [box.x + 4, box.y + 4], [box.x + box.width - 4, box.y + box.height - 100]);
  await page.keyboard.up("Shift");
  const all = await ask(page, "nodeIds");
  assert.deepEqual((await ask(page, "selection")).toSorted(), all.toSorted());
  const before = (await ask(page, "workflow")).nodes.map((node) => node.pos[0]);
  const title = await ask(page, "titlePoint", all[0]);
  await drag(page, title, [title[0] + 60, title[1]]);
  const moved = (await ask(page, "workflow")).nodes.map((node) => node.pos[0]);
  moved.forEach((x, index) => assert.equal(x, before[index] + 100));
});

test("a link is made by type, refused with a reason, taken off, and comes back with undo", async () => {
  const sampler = await only("KSampler");
  const latent = await only("EmptyLatentImage");
  const from = await ask(page, "slotPoint", sampler, "input", "latent_image");
  const away = await ask(page, "emptyPoint");
  await drag(page, from, away);
  assert.equal(await linkInto(sampler, "latent_image"), undefined, "dropped in the void, the link is gone");
  const output = await ask(page, "slotPoint", latent, "output", 0);
  const wrong = await ask(page, "slotPoint", sampler, "input", "model");
  await drag(page, output, wrong, {
    beforeUp: async () => {
      assert.match(await page.locator(".reason").innerText(), /LATENT does not fit .model., which takes MODEL/);
      assert.equal(await page.locator(`[data-node="${sampler}"] .socket.fits`).count(), 1);
      await shoot(page, "editing-link-refused");
    },
  });
  assert.deepEqual((await linkInto(sampler, "model"))[1], 0);
  assert.equal(await linkInto(sampler, "latent_image"), undefined);
  await drag(page, output, await ask(page, "slotPoint", sampler, "input", "latent_image"));
  assert.deepEqual(await linkInto(sampler, "latent_image"), [latent, 0]);
  await page.keyboard.press("Control+z");
  assert.equal(await linkInto(sampler, "latent_image"), undefined);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await linkInto(sampler, "latent_image"), [latent, 0]);
});

test("a link dropped on a node takes the input that fits", async () => {
  const sampler = await only("KSampler");
  const latent = await only("EmptyLatentImage");
  const from = await ask(page, "slotPoint", sampler, "input", "latent_image");
  await drag(page, from, await ask(page, "emptyPoint"));
  await drag(page, await ask(page, "slotPoint", latent, "output", 0), await ask(page, "titlePoint", sampler));
  assert.deepEqual(await linkInto(sampler, "latent_image"), [latent, 0]);
});

test("a link dropped in the void opens a search by type, and what is chosen is linked", async () => {
  const decoder = await only("VAEDecode");
  await drag(page, await ask(page, "slotPoint", decoder, "output", 0), await ask(page, "emptyPoint"));
  await page.getByRole("dialog", { name: "Add a node" }).waitFor();
  await shoot(page, "editing-typed-search");
  const offered = await page.locator(".palette-item").evaluateAll((items) => items.map((item) => item.dataset.type));
  assert.ok(offered.includes("PreviewImage") && !offered.includes("EmptyLatentImage"));
  await page.keyboard.type("preview");
  await page.keyboard.press("Enter");
  const preview = await only("PreviewImage");
  assert.deepEqual(await linkInto(preview, "images"), [decoder, 0]);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await ask(page, "nodesOfType", "PreviewImage"), [], "node and link are one step");
});

test("a double-click opens the search where it was, and the node comes there", async () => {
  await page.mouse.dblclick(...(await ask(page, "emptyPoint")));
  await page.getByRole("combobox", { name: "Search nodes" }).fill("load image");
  await page.keyboard.press("Enter");
  assert.equal((await ask(page, "nodesOfType", "LoadImage")).length, 1);
});

test("deleting keeps the rest, and copies carry their links", async () => {
  const ids = await ask(page, "nodeIds");
  const decoder = await only("VAEDecode");
  await page.mouse.click(...(await ask(page, "titlePoint", decoder)));
  await page.keyboard.press("Delete");
  assert.deepEqual((await ask(page, "nodeIds")).length, ids.length - 1);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Control+c");
  await page.mouse.move(...(await ask(page, "emptyPoint")));
  await page.keyboard.press("Control+v");
  assert.equal((await ask(page, "nodeIds")).length, ids.length * 2);
  const samplers = await ask(page, "nodesOfType", "KSampler");
  const copied = await linkInto(samplers.at(-1), "model");
  assert.ok(copied && !ids.includes(copied[0]), "the copy's links join copies");
});

test("widgets are edited by typing, by keys, and by list; typing is one undo", async () => {
  const sampler = await only("KSampler");
  const steps = page.getByRole("spinbutton", { name: /^steps/ });
  await steps.fill("12");
  await steps.press("Enter");
  assert.equal(await ask(page, "value", sampler, "steps"), 12);
  await steps.focus();
  await page.keyboard.press("ArrowUp");
  assert.equal(await ask(page, "value", sampler, "steps"), 13);
  await page.getByRole("combobox", { name: /^sampler_name/ }).click();
  await page.getByRole("searchbox", { name: /Search sampler_name/ }).fill("heun");
  await page.keyboard.press("Enter");
  assert.equal(await ask(page, "value", sampler, "sampler_name"), "heun");
  const text = page.getByRole("textbox", { name: /^text/ }).first();
  const before = await text.inputValue();
  await text.focus();
  await page.keyboard.press("Control+a");
  await page.keyboard.type("a small red cube at night");
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  assert.equal(await text.inputValue(), before);
});

test("a seed of 64 bits is kept, sent and saved exactly", async () => {
  const seed = "18446744073709551613";
  const sampler = await only("KSampler");
  const field = page.locator(`[data-node="${sampler}"] [data-widget="seed"] input`);
  await field.fill(seed);
  await field.press("Enter");
  assert.equal(await field.inputValue(), seed);
  await page
    .locator(`[data-node="${sampler}"]`)
    .getByRole("combobox", { name: /at each run/ })
    .selectOption("fixed");
  const [request] = await Promise.all([
    page.waitForRequest((candidate) => candidate.url().endsWith("/prompt")),
    page.keyboard.press("Control+Enter"),
  ]);
  assert.match(request.postData(), new RegExp(`"seed":${seed}[,}]`));
  const saved = (await ask(page, "workflow")).nodes.find((node) => String(node.id) === sampler);
  assert.equal(saved.widgets_values[0], BigInt(seed));
  await page.waitForFunction(() => window.__heddle.run().phase === "idle");
});

test("the outline reaches every node by keyboard", async () => {
  const items = page.getByRole("treeitem");
  assert.equal(await items.count(), (await ask(page, "nodeIds")).length);
  await items.first().focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  assert.equal((await ask(page, "selection")).length, 1);
});

test("nothing was asked of another host and nothing went wrong in the page", () => {
  assert.deepEqual([...editor.origins], [new URL(editor.url).host]);
  assert.deepEqual(editor.errors, []);
});
