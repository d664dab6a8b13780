/** Opening and saving: both formats, pictures, the server's workflows, and files that are none. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ask, openFile, page, shoot, useEditor } from "./harness.mjs";
import { discPng } from "./png.mjs";

const TEMPLATE = fileURLToPath(new URL("../tests/graph/testdata/sdxl_simple_example.workflow.json", import.meta.url));
const PARITY = fileURLToPath(new URL("../../../shared/parity/workflows/", import.meta.url));
useEditor();

const file = (name, content, mimeType = "application/json") => ({ name, mimeType, buffer: Buffer.from(content) });
const promptOf = async () => JSON.parse(JSON.stringify(await ask(page, "prompt")));

test("a workflow with nodes that the server does not know opens, keeps all its data, and is written back unchanged", async () => {
  const text = (await readFile(TEMPLATE, "utf8")).replaceAll('"KSamplerAdvanced"', '"SamplerOfAnotherPack"');
  await openFile(page, { name: "sdxl.json", mimeType: "application/json", buffer: Buffer.from(text) });
  await page.waitForFunction(() => window.__heddle.nodesOfType("SamplerOfAnotherPack").length === 2);
  assert.deepEqual(await ask(page, "workflow"), JSON.parse(text));
  await page.locator(".node.unknown").first().waitFor();
  await shoot(page, "files-template");
});

test("a prompt opens as a graph, arranged, and says the same when sent", async () => {
  const prompt = await promptOf();
  await openFile(page, file("api.json", JSON.stringify(prompt)));
  await page.waitForFunction(() => document.title.includes("api"));
  assert.deepEqual(await promptOf(), prompt);
  const positions = (await ask(page, "workflow")).nodes.map((node) => node.pos.join());
  assert.equal(new Set(positions).size, positions.length);
  await page.waitForTimeout(200);
  await shoot(page, "files-arranged");
});

test("a picture that carries a workflow opens as that workflow", async () => {
  const workflow = await ask(page, "workflow");
  const picture = discPng(16, [1, 2, 3], [4, 5, 6], { workflow: JSON.stringify({ ...workflow, revision: 7 }) });
  await openFile(page, file("made.png", picture, "image/png"));
  await page.waitForFunction(() => document.title.includes("made"));
  assert.equal((await ask(page, "workflow")).revision, 7);
});

/** A latent, as SaveLatent writes it: text in the header of a safetensors file. */
function latent(texts) {
  const tensor = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  const header = Buffer.from(JSON.stringify({ __metadata__: texts, latent_tensor: tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(4)]);
}

test("a latent that carries a workflow opens as that workflow", async () => {
  const workflow = await ask(page, "workflow");
  const bytes = latent({ workflow: JSON.stringify({ ...workflow, revision: 8 }) });
  await openFile(page, file("kept.latent", bytes, "application/octet-stream"));
  await page.waitForFunction(() => document.title.includes("kept"));
  assert.equal((await ask(page, "workflow")).revision, 8);
});

test("A1111's text opens as a graph that says the same", async () => {
  const text =
    "a lighthouse <lora:waves:0.5>\nNegative prompt: fog\nSteps: 9, Sampler: Euler a, Seed: 77, Size: 192x256";
  await openFile(page, file("words.txt", text, "text/plain"));
  await page.waitForFunction(() => document.title.includes("words"));
  const nodes = Object.values(await promptOf());
  const inputsOf = (type) => nodes.find((node) => node.class_type === type).inputs;
  assert.deepEqual(
    [inputsOf("KSampler").steps, inputsOf("KSampler").seed, inputsOf("KSampler").sampler_name],
    [9, 77, "euler_ancestral"],
  );
  assert.deepEqual([inputsOf("EmptyLatentImage").width, inputsOf("EmptyLatentImage").height], [192, 256]);
  assert.equal(inputsOf("LoraLoader").strength_model, 0.5);
  await page.waitForTimeout(200);
  await shoot(page, "files-a1111");
});

test("every published template opens in a tab of its own and is written as it was read", async () => {
  const folder = existsSync(PARITY) ? PARITY : fileURLToPath(new URL("../tests/graph/testdata/", import.meta.url));
  const names = (await readdir(folder)).filter((name) => name.endsWith(".workflow.json"));
  assert.ok(names.length >= 6);
  for (const name of names) {
    const text = await readFile(join(folder, name), "utf8");
    await openFile(page, file(name, text));
    await page.waitForFunction((title) => document.title.includes(title), name.replace(/\.json$/, ""));
    assert.deepEqual(await ask(page, "workflow"), JSON.parse(text), name);
    await page.keyboard.press("Alt+w");
  }
  assert.deepEqual(await ask(page, "tabs"), ["Text to image"]);
});

const BAD = [
  ["broken.json", "{", /“broken\.json” is not valid JSON/],
  ["list.json", "[1, 2]", /“list\.json” is JSON but no workflow/],
  ["empty.json", "", /“empty\.json” is empty/],
  ["plain.png", discPng(8, [0, 0, 0], [9, 9, 9]), /“plain\.png” is a picture that carries no workflow/],
  ["film.bin", Buffer.from([0, 1, 2, 3]), /“film\.bin” is no kind of file that carries a workflow/],
];
for (const [name, content, message] of BAD) {
  test(`${name} is refused with one sentence and the open workflow stays`, async () => {
    const before = await ask(page, "workflow");
    await openFile(page, file(name, content));
    const alert = page.getByRole("alert");
    await alert.waitFor();
    assert.match(await alert.innerText(), message);
    assert.deepEqual(await ask(page, "workflow"), before);
  });
}

test("a dropped file opens", async () => {
  const prompt = JSON.stringify(await promptOf());
  const data = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "dropped.json", { type: "application/json" }));
    return transfer;
  }, prompt);
  await page.dispatchEvent(".canvas", "drop", { dataTransfer: data });
  await page.waitForFunction(() => document.title.includes("dropped"));
});

test("pasted text opens when it is a workflow or a prompt", async () => {
  const prompt = JSON.stringify(await promptOf());
  await page.locator(".canvas").focus();
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
  }, prompt);
  await page.waitForFunction(() => document.title.includes("Pasted"));
  assert.equal(JSON.stringify(await promptOf()), prompt);
});

test("a workflow is stored on the server under a name, is not replaced unasked, and opens again", async () => {
  const name = `e2e ${Date.now()}`;
  await page.keyboard.press("Control+s");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByRole("button", { name: "Save on the server" }).click();
  await page.getByRole("status").filter({ hasText: "Saved" }).waitFor();
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("Control+Shift+s");
  await page.getByRole("button", { name: "Save on the server" }).click();
  await page.getByText("exists already").waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+n");
  assert.deepEqual(await ask(page, "nodeIds"), []);
  await page.keyboard.press("Control+o");
  await shoot(page, "files-open-dialog");
  await page
    .getByRole("dialog")
    .getByRole("button", { name: new RegExp(name) })
    .click();
  await page.waitForFunction(() => window.__heddle.nodeIds().length > 0);
  assert.ok((await page.title()).includes(name));
});

for (const [action, key] of [
  ["download-workflow", "nodes"],
  ["download-prompt", null],
]) {
  test(`${action} writes a file that opens again`, async () => {
    const expected = action === "download-prompt" ? await promptOf() : await ask(page, "workflow");
    await page.getByRole("button", { name: "More ways to save" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.locator(`[role=menuitem][data-action=${action}]`).click(),
    ]);
    const written = JSON.parse(await readFile(await download.path(), "utf8"));
    assert.deepEqual(written, expected);
    assert.equal(key === null || key in written, true);
  });
}

test("a picture is uploaded for a node that takes one, and shown there", async () => {
  await page.mouse.dblclick(...(await ask(page, "emptyPoint")));
  await page.getByRole("combobox", { name: "Search nodes" }).fill("LoadImage");
  await page.keyboard.press("Enter");
  const id = (await ask(page, "nodesOfType", "LoadImage"))[0];
  const name = `e2e-${Date.now()}.png`;
  await page
    .locator(`[data-node="${id}"] input[type=file]`)
    .setInputFiles(file(name, discPng(32, [9, 200, 9], [0, 0, 0]), "image/png"));
  await page.waitForFunction(([node, wanted]) => window.__heddle.value(node, "image") === wanted, [id, name]);
  const shown = page.locator(`[data-node="${id}"] .picture img`);
  await shown.waitFor();
  assert.ok(await shown.evaluate((image) => image.decode().then(() => image.naturalWidth === 32)));
});
