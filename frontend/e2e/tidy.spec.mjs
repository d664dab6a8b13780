/** Arranging, finding, notes, and texts with alternatives: on the built editor. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, drag, editor, only, page, shoot, useEditor } from "./harness.mjs";

useEditor();

const positions = async () => new Map((await ask(page, "workflow")).nodes.map((node) => [String(node.id), node.pos]));

test("arranging puts the graph in order from left to right, as one step", async () => {
  const sampler = await only("KSampler");
  const title = await ask(page, "titlePoint", sampler);
  await drag(page, title, [title[0] - 600, title[1] + 200]);
  const before = await positions();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+Shift+F");
  await page.waitForFunction(
    ([id, x]) => window.__heddle.workflow().nodes.find((node) => String(node.id) === id).pos[0] !== x,
    [sampler, before.get(sampler)[0]],
  );
  const after = await positions();
  const order = [await only("CheckpointLoaderSimple"), sampler, await only("VAEDecode"), await only("SaveImage")];
  const xs = order.map((id) => after.get(id)[0]);
  assert.deepEqual(
    xs,
    xs.toSorted((a, b) => a - b),
  );
  await shoot(page, "tidy-arranged");
  await page.keyboard.press("Control+z");
  assert.deepEqual(await positions(), before);
});

test("arranging several nodes leaves the others where they are", async () => {
  const chosen = [await only("KSampler"), await only("VAEDecode")];
  const before = await positions();
  for (const id of chosen) {
    await page.keyboard.down("Shift");
    await page.mouse.click(...(await ask(page, "titlePoint", id)));
    await page.keyboard.up("Shift");
  }
  const decoder = chosen[1];
  await page.keyboard.press("Control+Shift+F");
  await page.waitForFunction(
    ([id, pos]) => String(window.__heddle.workflow().nodes.find((node) => String(node.id) === id).pos) !== pos,
    [decoder, String(before.get(decoder))],
  );
  const after = await positions();
  for (const [id, pos] of before) if (!chosen.includes(id)) assert.deepEqual(after.get(id), pos);
});

test("Ctrl+F finds a node by a value that it holds, and Enter goes there", async () => {
  await page.keyboard.press("Control+f");
  const field = page.getByRole("searchbox", { name: "Find a node" });
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label") === "Find a node");
  await field.fill("heddle_scenes");
  const [loader] = await ask(page, "nodesOfType", "CheckpointLoaderSimple");
  assert.equal(await page.getByRole("treeitem").count(), 1);
  await field.press("Enter");
  assert.deepEqual(await ask(page, "selection"), [loader]);
});

test("one alternative of a text is sent; the document keeps them all", async () => {
  const text = page.getByRole("textbox", { name: /^text/ }).first();
  await text.fill("a {red|blue} cube");
  const [request] = await Promise.all([
    page.waitForRequest((candidate) => candidate.method() === "POST" && candidate.url().endsWith("/prompt")),
    text.press("Control+Enter"),
  ]);
  const sent = Object.values(request.postDataJSON().prompt).map((node) => node.inputs.text);
  assert.ok(sent.some((each) => each === "a red cube" || each === "a blue cube"));
  assert.equal(await text.inputValue(), "a {red|blue} cube");
  await page.waitForFunction(() => window.__heddle.run().phase === "idle");
});

const NOTE = "## Models\n\n- [the **model**](https://example.org/m)\n\n[no](javascript:alert(1)) <b>raw</b> `code`";

test("a Markdown note is shown as text, edited when it is clicked twice, and runs no script", async () => {
  await page.mouse.dblclick(...(await ask(page, "emptyPoint")));
  await page.getByRole("combobox", { name: "Search nodes" }).fill("Markdown");
  await page.keyboard.press("Enter");
  const id = await only("MarkdownNote");
  const note = page.locator(`[data-node="${id}"] .markdown`);
  await note.focus();
  await page.keyboard.press("Enter");
  await page.locator(`[data-node="${id}"] textarea`).fill(NOTE);
  await page.locator(".canvas").focus();
  await note.getByRole("heading", { name: "Models" }).waitFor();
  assert.deepEqual(await note.locator("a").evaluateAll((links) => links.map((link) => link.getAttribute("href"))), [
    "https://example.org/m",
  ]);
  assert.match(await note.innerText(), /<b>raw<\/b>/);
  await page.keyboard.press(".");
  await shoot(page, "tidy-note");
  await note.dblclick();
  assert.equal(await page.locator(`[data-node="${id}"] textarea`).inputValue(), NOTE);
});

test("nothing went wrong in the page", () => assert.deepEqual(editor.errors, []));
