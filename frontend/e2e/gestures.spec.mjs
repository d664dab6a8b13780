/** The two ways of moving about, and what the buttons and keys do on sockets: real pointer events on the built editor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, drag, editor, only, page, ready, useEditor } from "./harness.mjs";

useEditor();

const view = () => ask(page, "viewport");
const linked = async (id, input) => (await ask(page, "prompt"))[id].inputs[input];
const linkOf = async (id, input) => {
  const { nodes, links } = await ask(page, "workflow");
  const node = nodes.find((each) => String(each.id) === id);
  return links.find((each) => each[0] === node.inputs.find(({ name }) => name === input)?.link);
};
const rect = async (type) => {
  const box = await page.locator(`.node[data-type="${type}"]`).first().boundingBox();
  return { left: box.x, top: box.y, right: box.x + box.width, bottom: box.y + box.height };
};
const toStandard = async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("Alt+v");
  await page.getByText("Standard: a drag selects").waitFor();
};
const toClassic = async () => {
  await page.locator(".canvas").focus();
  await page.keyboard.press("Alt+v");
  await page.getByText("Classic: a drag pans").waitFor();
};

test("in the standard way a drag selects, the wheel pans, and Ctrl with the wheel zooms; it is remembered", async () => {
  await toStandard();
  await page.reload();
  await ready(page);
  const { left, top, right, bottom } = await rect("VAEDecode");
  const before = await view();
  await drag(page, [left - 12, top - 12], [right + 8, bottom + 8]);
  assert.deepEqual(await ask(page, "selection"), [await only("VAEDecode")]);
  assert.deepEqual(await view(), before);
  const empty = await ask(page, "emptyPoint");
  await page.mouse.move(...empty);
  await page.mouse.wheel(30, 50);
  await page.waitForFunction((y) => window.__heddle.viewport().y === y - 50, before.y);
  assert.deepEqual(await view(), { ...before, x: before.x - 30, y: before.y - 50 });
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await page.waitForFunction((scale) => window.__heddle.viewport().scale > scale, before.scale);
  await toClassic();
});

test("in the classic way a drag pans, the wheel zooms, and Shift with the wheel pans sideways", async () => {
  const before = await view();
  const empty = await ask(page, "emptyPoint");
  await drag(page, empty, [empty[0] + 30, empty[1] - 20]);
  const panned = await view();
  assert.deepEqual([panned.x - before.x, panned.y - before.y], [30, -20]);
  await page.keyboard.down("Shift");
  await page.mouse.wheel(0, 40);
  await page.keyboard.up("Shift");
  await page.waitForFunction((x) => window.__heddle.viewport().x === x - 40, panned.x);
  assert.equal((await view()).scale, before.scale);
});

test("Ctrl, Shift and a drag upwards zoom in where it began", async () => {
  const before = await view();
  const [x, y] = await ask(page, "emptyPoint");
  await page.keyboard.down("Control");
  await page.keyboard.down("Shift");
  await drag(page, [x, y], [x, y - 60]);
  await page.keyboard.up("Shift");
  await page.keyboard.up("Control");
  assert.ok((await view()).scale > before.scale);
});

test("Shift and a drag of an output move all its links to another one, as one step", async () => {
  const [positive, negative] = await ask(page, "nodesOfType", "CLIPTextEncode");
  const sampler = await only("KSampler");
  await page.keyboard.down("Shift");
  await drag(
    page,
    await ask(page, "slotPoint", positive, "output", 0),
    await ask(page, "slotPoint", negative, "output", 0),
  );
  await page.keyboard.up("Shift");
  assert.deepEqual(await linked(sampler, "positive"), [negative, 0]);
  assert.deepEqual(await linked(sampler, "negative"), [negative, 0]);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await linked(sampler, "positive"), [positive, 0]);
});

test("the middle button on a socket puts a reroute there, and the run does not notice", async () => {
  const sampler = await only("KSampler");
  const before = await linked(sampler, "latent_image");
  await page.mouse.click(...(await ask(page, "slotPoint", sampler, "input", "latent_image")), { button: "middle" });
  const [reroute] = await ask(page, "nodesOfType", "Reroute");
  assert.equal(String((await linkOf(sampler, "latent_image"))[1]), reroute);
  assert.deepEqual(await linked(sampler, "latent_image"), before);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await ask(page, "nodesOfType", "Reroute"), []);
});

test("the menu of several nodes lines them up at every side", async () => {
  const types = ["KSampler", "VAEDecode", "EmptyLatentImage"];
  for (const [name, side] of [
    ["Align right", "right"],
    ["Align bottom", "bottom"],
    ["Align left", "left"],
    ["Align top", "top"],
  ]) {
    await page.locator(".canvas").focus();
    await page.keyboard.press("Escape");
    for (const type of types) {
      await page.keyboard.down("Shift");
      await page.mouse.click(...(await ask(page, "titlePoint", await only(type))));
      await page.keyboard.up("Shift");
    }
    await page.mouse.click(...(await ask(page, "titlePoint", await only("KSampler"))), { button: "right" });
    await page.getByRole("menuitem", { name, exact: true }).click();
    const { nodes } = await ask(page, "workflow");
    const places = [];
    for (const type of types) places.push((await rect(type))[side]);
    assert.ok(Math.max(...places) - Math.min(...places) < 1.5, `${name}: ${places} of ${nodes.length}`);
    await page.keyboard.press("Control+z");
  }
});

test("a group's menu bypasses all that is in it, and takes it back", async () => {
  const sampler = await only("KSampler");
  await page.mouse.click(...(await ask(page, "titlePoint", sampler)));
  await page.keyboard.press("Control+g");
  await page.getByRole("textbox", { name: "Title of the group" }).press("Enter");
  const [group] = (await ask(page, "workflow")).groups;
  const title = await ask(page, "worldPoint", group.bounding[0] + group.bounding[2] - 20, group.bounding[1] + 12);
  const mode = async () => (await ask(page, "workflow")).nodes.find((node) => String(node.id) === sampler).mode;
  for (const expected of [4, 0]) {
    await page.mouse.click(...title, { button: "right" });
    await page.getByRole("menuitem", { name: "Bypass the nodes in it" }).click();
    assert.equal(await mode(), expected);
  }
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
