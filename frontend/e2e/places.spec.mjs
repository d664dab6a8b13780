/** Groups, points of links, the grid, lining up, cutting: real pointer events on the built editor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, drag, editor, only, page, shoot, useEditor } from "./harness.mjs";

useEditor();

const nodeOf = async (id) => (await ask(page, "workflow")).nodes.find((node) => String(node.id) === id);
const groups = async () => (await ask(page, "workflow")).groups;
const reroutes = async () => (await ask(page, "workflow")).extra?.reroutes ?? [];
const linked = async (id, input) => (await ask(page, "prompt"))[id].inputs[input];
/** What React shows follows a frame after the store. */
const settled = () =>
  page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
const menu = async (at, name) => {
  await page.mouse.click(...at, { button: "right" });
  await page.getByRole("menuitem", { name }).click();
};

async function groupOf(...types) {
  await page.keyboard.press("Escape");
  for (const type of types) {
    const title = await ask(page, "titlePoint", await only(type));
    await page.keyboard.down("Shift");
    await page.mouse.click(...title);
    await page.keyboard.up("Shift");
  }
  await page.keyboard.press("Control+g");
  await page.getByRole("textbox", { name: "Title of the group" }).fill("Sampling");
  await page.keyboard.press("Enter");
  const [group] = await groups();
  const [x, y, width, height] = group.bounding;
  return {
    group,
    title: await ask(page, "worldPoint", x + width - 30, y + 14),
    corner: await ask(page, "worldPoint", x + width - 6, y + height - 6),
  };
}

test("Ctrl+G frames the selection, asks for a name, and a drag of the title takes the nodes along", async () => {
  const sampler = await only("KSampler");
  const before = (await nodeOf(sampler)).pos;
  const { group, title } = await groupOf("KSampler", "EmptyLatentImage");
  assert.equal(group.title, "Sampling");
  await shoot(page, "places-group");
  await drag(page, title, [title[0] + 50, title[1] + 30]);
  const after = (await nodeOf(sampler)).pos;
  const [moved] = await groups();
  assert.ok(after[0] > before[0] && after[1] > before[1]);
  assert.equal(after[0] - before[0], moved.bounding[0] - group.bounding[0]);
  await page.keyboard.press("Control+z");
  assert.deepEqual((await nodeOf(sampler)).pos, before);
  assert.deepEqual((await groups())[0].bounding, group.bounding);
});

test("a group is resized by its corner, coloured, renamed and removed; its nodes stay", async () => {
  const { group, title, corner } = await groupOf("KSampler");
  const count = (await ask(page, "nodeIds")).length;
  await drag(page, corner, [corner[0] + 40, corner[1] + 20]);
  const [resized] = await groups();
  assert.ok(resized.bounding[2] > group.bounding[2] && resized.bounding[3] > group.bounding[3]);
  assert.deepEqual(resized.bounding.slice(0, 2), group.bounding.slice(0, 2));
  await page.mouse.click(...title, { button: "right" });
  await shoot(page, "places-group-menu");
  await page.getByRole("button", { name: "Colour blue" }).click();
  assert.match((await groups())[0].color, /^#/);
  await page.mouse.dblclick(...title);
  await page.getByRole("textbox", { name: "Title of the group" }).fill("Steps");
  await page.keyboard.press("Enter");
  assert.equal((await groups())[0].title, "Steps");
  await page.mouse.click(...title);
  assert.equal(await ask(page, "selectedGroup"), 0);
  await page.keyboard.press("Delete");
  assert.deepEqual(await groups(), []);
  assert.equal((await ask(page, "nodeIds")).length, count);
  await page.keyboard.press("Control+z");
  assert.equal((await groups()).length, 1);
});

test("a drag on a link makes a point, which is dragged on and taken away; the run does not notice", async () => {
  const decoder = await only("VAEDecode");
  const before = await linked(decoder, "samples");
  const at = await ask(page, "linkPoint", decoder, "samples");
  await drag(page, at, [at[0] + 10, at[1] + 90]);
  const [point] = await reroutes();
  assert.equal(point.linkIds.length, 1);
  assert.deepEqual(await linked(decoder, "samples"), before);
  await shoot(page, "places-reroute");
  const first = await ask(page, "worldPoint", ...point.pos);
  await drag(page, first, [first[0] - 30, first[1] + 30]);
  const [moved] = await reroutes();
  assert.ok(moved.pos[0] < point.pos[0] && moved.pos[1] > point.pos[1]);
  await page.keyboard.press("Control+z");
  assert.deepEqual((await reroutes())[0].pos, point.pos);
  await menu(await ask(page, "worldPoint", ...point.pos), "Remove reroute");
  assert.deepEqual(await reroutes(), []);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  assert.deepEqual(await reroutes(), [], "making and placing a point is one step");
});

test("Alt and a stroke cut the links that it crosses, in one step", async () => {
  const decoder = await only("VAEDecode");
  const before = await linked(decoder, "samples");
  const [x, y] = await ask(page, "linkPoint", decoder, "samples");
  await page.keyboard.down("Alt");
  await drag(page, [x, y - 60], [x, y + 60], { beforeUp: () => shoot(page, "places-cut") });
  await page.keyboard.up("Alt");
  assert.equal(await linked(decoder, "samples"), undefined);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await linked(decoder, "samples"), before);
});

test("Ctrl, Alt and a click on a socket break all its links", async () => {
  const loader = await only("CheckpointLoaderSimple");
  const encoders = await ask(page, "nodesOfType", "CLIPTextEncode");
  assert.deepEqual(await linked(encoders[0], "clip"), [loader, 1]);
  await page.keyboard.down("Control");
  await page.keyboard.down("Alt");
  await page.mouse.click(...(await ask(page, "slotPoint", loader, "output", 1)));
  await page.keyboard.up("Alt");
  await page.keyboard.up("Control");
  for (const id of encoders) assert.equal(await linked(id, "clip"), undefined);
  await page.keyboard.press("Control+z");
  for (const id of encoders) assert.deepEqual(await linked(id, "clip"), [loader, 1]);
});

test("a node dropped on a link goes into it", async () => {
  const decoder = await only("VAEDecode");
  const sampler = await only("KSampler");
  const [x, y] = await ask(page, "emptyPoint");
  await page.mouse.dblclick(x, y);
  await page.getByRole("combobox", { name: "Search nodes" }).fill("KSampler");
  await page.keyboard.press("Enter");
  const added = (await ask(page, "nodesOfType", "KSampler")).at(-1);
  await settled();
  const box = await page.locator(`[data-node="${added}"]`).boundingBox();
  const link = await ask(page, "linkPoint", decoder, "samples");
  const hold = [box.x + box.width - 40, box.y + 10];
  const middle = [box.x + box.width / 2, box.y + box.height / 2];
  await drag(page, hold, [hold[0] + link[0] - middle[0], hold[1] + link[1] - middle[1]], {
    beforeUp: () => shoot(page, "places-insert"),
  });
  assert.deepEqual(await linked(decoder, "samples"), [added, 0]);
  assert.deepEqual(await linked(added, "latent_image"), [sampler, 0]);
  await page.keyboard.press("Control+z");
  assert.deepEqual(await linked(decoder, "samples"), [sampler, 0]);
});

test("a drag keeps to the grid with Shift, and always when that is set", async () => {
  const id = await only("KSampler");
  const title = await ask(page, "titlePoint", id);
  await page.mouse.move(...title);
  await page.mouse.down();
  await page.keyboard.down("Shift");
  await page.mouse.move(title[0] + 47, title[1] + 23, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up("Shift");
  const { pos } = await nodeOf(id);
  assert.deepEqual([Math.abs(pos[0] % 12), Math.abs(pos[1] % 12)], [0, 0]);
  await page.keyboard.press("Shift+G");
  const again = await ask(page, "titlePoint", id);
  await drag(page, again, [again[0] + 31, again[1] + 17]);
  const next = (await nodeOf(id)).pos;
  assert.notDeepEqual(next, pos);
  assert.deepEqual([Math.abs(next[0] % 12), Math.abs(next[1] % 12)], [0, 0]);
});

test("the view follows a node that is dragged to the edge", async () => {
  const id = await only("KSampler");
  const before = await ask(page, "viewport");
  const title = await ask(page, "titlePoint", id);
  const box = await page.locator(".canvas").boundingBox();
  await page.mouse.move(...title);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width - 4, title[1], { steps: 6 });
  await page.waitForFunction((x) => window.__heddle.viewport().x < x - 100, before.x);
  await page.mouse.up();
  const at = await ask(page, "titlePoint", id);
  assert.ok(Math.abs(at[0] - (box.x + box.width - 4)) < 60, "the node is under the pointer still");
});

test("selected nodes are aligned and pinned nodes stay", async () => {
  const [latent, sampler] = [await only("EmptyLatentImage"), await only("KSampler")];
  await page.mouse.click(...(await ask(page, "titlePoint", latent)));
  await page.keyboard.down("Shift");
  await page.mouse.click(...(await ask(page, "titlePoint", sampler)));
  await page.keyboard.up("Shift");
  await menu(await ask(page, "titlePoint", sampler), "Align top");
  assert.equal((await nodeOf(latent)).pos[1], (await nodeOf(sampler)).pos[1]);
  await page.keyboard.press("p");
  const before = (await nodeOf(sampler)).pos;
  const title = await ask(page, "titlePoint", sampler);
  await drag(page, title, [title[0] + 60, title[1] + 60]);
  assert.deepEqual((await nodeOf(sampler)).pos, before);
  assert.equal((await nodeOf(sampler)).flags.pinned, true);
});

test("Ctrl+Shift+V pastes with the links from outside", async () => {
  const decoder = await only("VAEDecode");
  const sampler = await only("KSampler");
  await page.mouse.click(...(await ask(page, "titlePoint", decoder)));
  await page.keyboard.press("Control+c");
  await page.mouse.move(...(await ask(page, "emptyPoint")));
  await page.keyboard.press("Control+v");
  await page.keyboard.press("Control+Shift+v");
  const copies = (await ask(page, "nodesOfType", "VAEDecode")).filter((id) => id !== decoder);
  assert.equal(copies.length, 2);
  assert.equal(await linked(copies[0], "samples"), undefined);
  assert.deepEqual(await linked(copies[1], "samples"), [sampler, 0]);
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
