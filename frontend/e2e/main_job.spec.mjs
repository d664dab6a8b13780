/** The main job against the real server and the embedded model: words in, a picture that matches them out. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ask, isFake, openEditor, shoot, waitForRun } from "./harness.mjs";

const skip = isFake && "needs the real server: set HEDDLE_URL";
let editor;
let page;

before(async () => {
  if (skip) return;
  editor = await openEditor();
  page = editor.page;
});
after(() => editor?.close());

const only = async (type) => (await ask(page, "nodesOfType", type))[0];
const run = async () => {
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.waitForFunction(() => window.__heddle.run().phase !== "idle");
};
const setSeed = async (value) => {
  const field = page.getByRole("spinbutton", { name: /^seed,/ });
  await field.fill(String(value));
  await field.press("Enter");
};

/** Mean colour of the sky, and of the most saturated twentieth of the ground half, each as [r, g, b] in 0 to 255. */
async function coloursOf(image) {
  return image.evaluate(async (element) => {
    await element.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [element.naturalWidth, element.naturalHeight];
    const context = canvas.getContext("2d");
    context.drawImage(element, 0, 0);
    const rows = (first, last) => {
      const { data } = context.getImageData(0, first, canvas.width, last - first);
      return Array.from({ length: data.length / 4 }, (_, at) => Array.from(data.subarray(at * 4, at * 4 + 3)));
    };
    const mean = (pixels) => [0, 1, 2].map((at) => pixels.reduce((sum, pixel) => sum + pixel[at], 0) / pixels.length);
    const spread = (pixel) => Math.max(...pixel) - Math.min(...pixel);
    const ground = rows(canvas.height / 2, canvas.height).sort((a, b) => spread(b) - spread(a));
    return { sky: mean(rows(4, canvas.height / 4)), object: mean(ground.slice(0, ground.length / 20)) };
  });
}

test("words become a picture that shows them, with progress and a preview on the way", { skip }, async () => {
  const text = page.getByRole("textbox", { name: /^text, Positive/ });
  await text.fill("a small red cube at night");
  await text.blur();
  await setSeed(20_261);
  await run();
  await page.getByRole("progressbar", { name: /KSampler progress/ }).waitFor({ timeout: 60_000 });
  await page.getByAltText("Live preview").waitFor();
  await shoot(page, "main-job-preview");
  await waitForRun(page);
  assert.equal((await ask(page, "run")).outcome, "success");
  const picture = page.locator(`[data-node="${await only("SaveImage")}"] img`);
  await picture.waitFor();
  const { sky, object } = await coloursOf(picture);
  await shoot(page, "main-job-done");
  assert.ok(Math.max(...sky) < 80, `the night sky is dark, not ${sky.map(Math.round)}`);
  const [red, green, blue] = object;
  assert.ok(red > 90 && red > 2 * green && red > 2 * blue, `the cube is red, not ${object.map(Math.round)}`);
});

test("another seed loads and encodes nothing again", { skip }, async () => {
  await setSeed(20_262);
  await run();
  await waitForRun(page);
  const { states, outcome } = await ask(page, "run");
  assert.equal(outcome, "success");
  const stateOf = async (type) => (await ask(page, "nodesOfType", type)).map((id) => states[id]);
  assert.deepEqual(await stateOf("CheckpointLoaderSimple"), ["cached"]);
  assert.deepEqual(await stateOf("CLIPTextEncode"), ["cached", "cached"]);
  assert.deepEqual(await stateOf("KSampler"), ["done"]);
  assert.deepEqual(await stateOf("SaveImage"), ["done"]);
  await shoot(page, "main-job-cached");
});

test("nothing outside the server was asked, and the page raised no error", { skip }, () => {
  assert.deepEqual([...editor.origins], [new URL(editor.url).host]);
  assert.deepEqual(editor.errors, []);
});
