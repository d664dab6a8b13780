/** Adding nodes and finding workflows: the search, the node library, the server's workflows, versions, what is missing. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, editor, only, openFile, page, ready, shoot, useEditor, waitForRun } from "./harness.mjs";

const TEMPLATE = fileURLToPath(new URL("../tests/graph/testdata/sdxl_simple_example.workflow.json", import.meta.url));
useEditor();

const file = (name, content) => ({ name, mimeType: "application/json", buffer: Buffer.from(content) });
const offered = () => page.locator(".palette-item").evaluateAll((items) => items.map((item) => item.dataset.type));
const tab = (name) => page.getByRole("tab", { name });

async function openSearch() {
  await page.locator(".canvas").focus();
  await page.keyboard.press("Shift+A");
  await page.getByRole("combobox", { name: "Search nodes" }).waitFor();
}

async function setSteps(value) {
  const field = page.getByRole("spinbutton", { name: /^steps,/ });
  await field.fill(String(value));
  await field.press("Enter");
  await page.locator(".canvas").focus();
}

async function store(name) {
  await page.keyboard.press("Control+Shift+s");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByRole("button", { name: "Save on the server" }).click();
  await page.getByRole("dialog").waitFor({ state: "detached" });
}

async function openPanel(key, name) {
  await page.locator(".canvas").focus();
  await page.keyboard.press(key);
  const panel = page.getByRole("navigation", { name });
  await panel.waitFor();
  return panel;
}

test("the search filters by what a node takes and gives, and shows the node before it is added", async () => {
  await openSearch();
  await page.getByRole("combobox", { name: "Only nodes that take" }).selectOption("LATENT");
  await page.getByRole("combobox", { name: "Only nodes that give" }).selectOption("IMAGE");
  const types = await offered();
  assert.ok(types.includes("VAEDecode") && !types.includes("KSampler") && !types.includes("VAEEncode"));
  await page.getByRole("combobox", { name: "Search nodes" }).fill("vae decode");
  assert.equal((await offered())[0], "VAEDecode");
  assert.match(
    await page.locator(".palette-summary").innerText(),
    /samples[\s\S]*IMAGE[\s\S]*Takes LATENT, VAE; gives IMAGE/,
  );
  await shoot(page, "library-search");
});

test("favourites come first, then what was used of late, and both last", async () => {
  await openSearch();
  await page.getByRole("combobox", { name: "Search nodes" }).fill("load image");
  await page.keyboard.press("Enter");
  await openSearch();
  await page.getByRole("combobox", { name: "Search nodes" }).fill("vae encode");
  await page.keyboard.press("Alt+f");
  await page.keyboard.press("Escape");
  await page.reload();
  await ready(page);
  await openSearch();
  assert.deepEqual((await offered()).slice(0, 2), ["VAEEncode", "LoadImage"]);
});

test("a node is dragged out of the library to where it is dropped, and is found in its category by keys alone", async () => {
  const panel = await openPanel("n", "Node library");
  const search = panel.getByRole("searchbox", { name: "Search the library" });
  await search.fill("empty latent image");
  const at = await ask(page, "emptyPoint");
  const before = await ask(page, "nodesOfType", "EmptyLatentImage");
  const box = await page.locator(".canvas").boundingBox();
  await panel
    .locator('[data-type="EmptyLatentImage"]')
    .dragTo(page.locator(".canvas"), { targetPosition: { x: at[0] - box.x, y: at[1] - box.y } });
  const [added] = (await ask(page, "nodesOfType", "EmptyLatentImage")).filter((id) => !before.includes(id));
  const title = await ask(page, "titlePoint", added);
  assert.ok(Math.hypot(title[0] - at[0], title[1] - at[1]) < 250, "it stands where it was dropped");
  await search.fill("");
  await panel.getByRole("tree", { name: "Node types" }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  await panel.locator('[role="treeitem"][aria-expanded="true"]').first().waitFor();
  await page.locator(".library-preview, [role=treeitem][aria-level='2']").first().waitFor();
  await shoot(page, "library-nodes");
  await search.fill("vae decode");
  await panel
    .locator('[data-type="VAEDecode"]')
    .getByRole("button", { name: /favourite/ })
    .click();
  await search.fill("");
  await panel.getByRole("heading", { name: "Favourites" }).waitFor();
  assert.equal(await panel.locator("[data-type]").first().getAttribute("data-type"), "VAEDecode");
});

test("opening never replaces what is open, and closing unsaved work asks and keeps it", async () => {
  await setSteps(3);
  const edited = await ask(page, "workflow");
  await openFile(page, file("other.json", await readFile(TEMPLATE, "utf8")));
  await page.waitForFunction(() => document.title.includes("other"));
  assert.deepEqual(await ask(page, "tabs"), ["Text to image", "other"]);
  await page.keyboard.press("Alt+PageUp");
  assert.deepEqual(await ask(page, "workflow"), edited);
  await page.keyboard.press("Alt+w");
  await page
    .getByRole("dialog", { name: "Close the workflow" })
    .getByRole("button", { name: "Close without saving" })
    .click();
  await page.waitForFunction(() => window.__heddle.tabs().length === 1);
  const panel = await openPanel("w", "Workflows");
  await panel.getByRole("button", { name: "Versions" }).click();
  await panel.getByRole("list", { name: "Recently closed" }).getByRole("button", { name: "Open" }).click();
  await page.waitForFunction(() => window.__heddle.tabs().length === 2);
  assert.equal(await ask(page, "value", await only("KSampler"), "steps"), 3);
});

test("an untouched workflow closes without a question, and after the last there is an empty one", async () => {
  await page.keyboard.press("Alt+w");
  await page.waitForFunction(() => window.__heddle.nodeIds().length === 0);
  assert.deepEqual(await ask(page, "tabs"), ["Untitled"]);
});

test("a run goes on while another workflow is shown, and is there when its tab is", async () => {
  await page.keyboard.press("Control+Enter");
  await page.waitForFunction(() => window.__heddle.run().phase !== "idle");
  await page.keyboard.press("Alt+n");
  assert.equal((await ask(page, "run")).phase, "idle");
  await tab(/^Text to image(, not saved)?$/).waitFor({ timeout: 60_000 });
  await tab(/^Text to image/).click();
  await waitForRun(page);
  assert.equal((await ask(page, "run")).outcome, "success");
  await page.locator(`[data-node="${await only("SaveImage")}"] img`).waitFor();
});

test("workflows on the server stand in their folders, are renamed, moved and deleted, and an open one goes along", async () => {
  const folder = `e2e ${Date.now()}`;
  await store(`${folder}/night`);
  const panel = await openPanel("w", "Workflows");
  const item = (name) => panel.getByRole("treeitem", { name, exact: true });
  await panel.getByRole("treeitem", { name: folder }).waitFor();
  await item("night").waitFor();
  await shoot(page, "library-workflows");
  await panel.getByRole("tree").focus();
  await item("night").focus();
  await page.keyboard.press("F2");
  await panel.getByRole("textbox", { name: "New name" }).fill(`${folder}/harbour/dawn`);
  await page.keyboard.press("Enter");
  await item("dawn").waitFor();
  await tab("dawn").waitFor();
  await setSteps(4);
  await page.keyboard.press("Control+s");
  await page.getByRole("status").filter({ hasText: "Saved “dawn”" }).waitFor();
  await item("dawn").focus();
  await page.keyboard.press("Delete");
  await panel.getByRole("button", { name: "Delete", exact: true }).click();
  await item("dawn").waitFor({ state: "detached" });
  await tab("dawn, not saved").waitFor();
  assert.equal(await ask(page, "value", await only("KSampler"), "steps"), 4);
});

test("every save and every run leaves a version, and going back to one is a step that can be undone", async () => {
  const panel = await openPanel("w", "Workflows");
  await panel.getByRole("button", { name: "Versions" }).click();
  const versions = panel
    .getByRole("list", { name: "Versions of this workflow" })
    .getByRole("button", { name: "Restore" });
  const name = `e2e ${Date.now()}`;
  await setSteps(5);
  await store(name);
  await versions.first().waitFor();
  assert.equal(await versions.count(), 1);
  await setSteps(6);
  await page.keyboard.press("Control+Enter");
  await versions.nth(1).waitFor();
  await waitForRun(page);
  await setSteps(7);
  await shoot(page, "library-versions");
  const edited = await ask(page, "workflow");
  await versions.nth(1).click();
  const steps = async () => ask(page, "value", await only("KSampler"), "steps");
  await page.waitForFunction((id) => window.__heddle.value(id, "steps") === 5, await only("KSampler"));
  await page.locator(".canvas").focus();
  await page.keyboard.press("Control+z");
  assert.equal(await steps(), 7);
  assert.deepEqual(await ask(page, "workflow"), edited);
});

test("templates open beside what is open", async () => {
  const panel = await openPanel("w", "Workflows");
  await panel.getByRole("button", { name: "Templates" }).click();
  await panel.getByRole("button", { name: "Text to image", exact: true }).click();
  await page.waitForFunction(() => window.__heddle.tabs().length === 2);
  assert.equal((await ask(page, "nodesOfType", "KSampler")).length, 1);
});

test("a model that the server lacks is listed with its source, and another can be chosen", async () => {
  const workflow = await ask(page, "workflow");
  const url = "https://example.org/gone.safetensors";
  const loader = workflow.nodes.find((node) => node.type === "CheckpointLoaderSimple");
  const others = await page.evaluate(() => fetch("api/object_info").then((answer) => answer.json()));
  const [name] = others.CheckpointLoaderSimple.input.required.ckpt_name[0];
  loader.widgets_values = ["gone.safetensors"];
  delete loader.widgets_values_named;
  loader.properties = { ...loader.properties, models: [{ name: "gone.safetensors", url, directory: "checkpoints" }] };
  workflow.nodes.push({ id: 99, type: "Foreign", pos: [0, 900], size: [200, 80], properties: { cnr_id: "some-pack" } });
  await openFile(page, file("lacks.json", JSON.stringify(workflow)));
  await page.getByRole("button", { name: "2 missing" }).click();
  const panel = page.getByRole("region", { name: "Problems" });
  assert.match(await panel.innerText(), /gone\.safetensors” is not on this server/);
  assert.match(await panel.innerText(), /Foreign[\s\S]*does not know this node[\s\S]*from the pack some-pack/);
  assert.equal(await panel.getByRole("link", { name: "Download" }).getAttribute("href"), url);
  await shoot(page, "library-missing");
  await panel.getByRole("button", { name: "Choose another…" }).click();
  await page.getByRole("option", { name }).first().click();
  assert.equal(await ask(page, "value", await only("CheckpointLoaderSimple"), "ckpt_name"), name);
  await page.getByRole("button", { name: "1 missing" }).waitFor();
});

test("nothing was asked of another host and nothing went wrong in the page", () => {
  assert.deepEqual([...editor.origins], [new URL(editor.url).host]);
  assert.deepEqual(editor.errors, []);
});
