/** The two canvases on pages of one browser, brought to the same views: ours from dist/, and litegraph.js as it comes. */
import { createRequire } from "node:module";
import { kindOf, KINDS, makeGraph, objectInfoOf, workflowOf } from "./graph.mjs";

const require = createRequire(import.meta.url);

/** Our editor with the graph, and how long opening the file took to the first drawn frame. */
export async function openOurs(context, url, nodeCount, linkCount) {
  const page = await context.newPage();
  await page.route("**/api/object_info", (route) => route.fulfill({ json: objectInfoOf() }));
  await page.goto(url);
  await page.waitForFunction(() => window.__heddle?.isReady());
  // Without the outline the canvas is all that the window has.
  if (await page.getByRole("navigation", { name: "Outline" }).isVisible()) await page.keyboard.press("n");
  const text = JSON.stringify(workflowOf(makeGraph(nodeCount, linkCount)));
  const loadMs = await page.evaluate(dropFile, { text, nodeCount });
  const box = await page.locator(".canvas").boundingBox();
  return {
    page,
    box,
    loadMs,
    look: (viewport) =>
      page.evaluate((wanted) => {
        if (wanted) window.__heddle.setViewport(wanted);
        else window.__heddle.fit();
      }, viewport),
    viewport: () => page.evaluate(() => window.__heddle.viewport()),
    grip: (id) => page.evaluate((node) => window.__heddle.titlePoint(String(node)), id),
    at: (id) => page.evaluate((node) => window.__heddle.workflow().nodes.find((one) => one.id === node).pos, id),
  };
}

/** Drops a file on the page and waits until it is drawn. Runs in the page. */
async function dropFile({ text, nodeCount }) {
  const transfer = new DataTransfer();
  transfer.items.add(new File([text], "bench.json", { type: "application/json" }));
  const start = performance.now();
  document
    .querySelector(".canvas")
    .dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  while (window.__heddle.nodeIds().length !== nodeCount) await frame();
  await frame();
  await new Promise((resolve) => setTimeout(resolve));
  return performance.now() - start;
}

/** litegraph.js with the graph, on a canvas of the same size. */
export async function openTheirs(context, box, nodeCount, linkCount) {
  const page = await context.newPage();
  await page.setContent('<!doctype html><body style="margin:0;overflow:hidden"><canvas id="canvas"></canvas></body>');
  await page.addScriptTag({ path: require.resolve("litegraph.js/build/litegraph.min.js") });
  const graph = makeGraph(nodeCount, linkCount);
  const loadMs = await page.evaluate(buildTheirs, {
    kinds: KINDS.map(kindOf),
    graph,
    size: [box.width, box.height],
  });
  return {
    page,
    box: { ...box, x: 0, y: 0 },
    loadMs,
    look: (viewport) => page.evaluate(lookTheirs, viewport ?? null),
    viewport: () =>
      page.evaluate(() => {
        const { offset, scale } = window.view.ds;
        return { x: offset[0] * scale, y: offset[1] * scale, scale };
      }),
    grip: (id) =>
      page.evaluate((node) => {
        const [x, y] = window.view.ds.convertOffsetToCanvas(window.graph.getNodeById(node).pos);
        return [x + 60 * window.view.ds.scale, y - 15 * window.view.ds.scale];
      }, id),
    at: (id) => page.evaluate((node) => [...window.graph.getNodeById(node).pos], id),
  };
}

/** Runs in the page. */
function buildTheirs({ kinds, graph: { nodes, links }, size }) {
  const { LiteGraph, LGraph, LGraphCanvas } = window;
  LiteGraph.MAX_NUMBER_OF_NODES = 100_000;
  for (const kind of kinds) {
    // oxlint-disable-next-line no-extraneous-class -- litegraph.js calls it to make a node.
    class Bench {
      constructor() {
        for (const { name, type } of kind.inputs) this.addInput(name, type);
        for (const { name, type } of kind.outputs) this.addOutput(name, type);
        this.addWidget("number", "steps", 20, () => {}, { min: 1, max: 100, step: 10, precision: 0 });
        this.addWidget("combo", "sampler", "euler", () => {}, { values: kind.choices });
        this.addWidget("text", "text", "a small red cube", () => {});
      }
    }
    Bench.title = kind.name;
    LiteGraph.registerNodeType(`bench/${kind.name}`, Bench);
  }
  const element = document.querySelector("#canvas");
  [element.width, element.height] = size;
  window.graph = new LGraph();
  window.view = new LGraphCanvas(element, window.graph, { autoresize: false });
  const start = performance.now();
  for (const { id, kind, x, y, width, height } of nodes) {
    const node = LiteGraph.createNode(`bench/${kinds[kind].name}`);
    node.id = id;
    node.pos = [x, y];
    node.size = [width, height];
    window.graph.add(node);
  }
  for (const { source, output, target, input } of links) {
    window.graph.getNodeById(source).connect(output, window.graph.getNodeById(target), input);
  }
  window.view.setDirty(true, true);
  window.view.draw(true, true);
  return performance.now() - start;
}

/** Runs in the page. Null shows the whole graph. */
function lookTheirs(viewport) {
  const { ds } = window.view;
  if (viewport) {
    ds.scale = viewport.scale;
    ds.offset = [viewport.x / viewport.scale, viewport.y / viewport.scale];
  }
  window.view.setDirty(true, true);
}
