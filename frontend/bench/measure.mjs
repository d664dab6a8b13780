/**
 * Gestures with the real mouse, one event a frame, and what they cost: the processor time of the main thread's tasks
 * (Chromium's TaskDuration in thread ticks), and the time between frames. A mouse move is answered when its frame has taken it, so that moves
 * that are awaited one after another come one a frame.
 */
export const STEPS = 45;

/** Milliseconds of processor time on the main thread for each step of a gesture. */
export async function cpuPerFrame(canvas, gesture) {
  const session = await canvas.page.context().newCDPSession(canvas.page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const before = await taskMs(session);
  await gesture(canvas);
  await settled(canvas.page);
  const after = await taskMs(session);
  await session.detach();
  return (after - before) / STEPS;
}

/** The 95th percentile of the time between frames during a gesture. */
export async function frameIntervals(canvas, gesture) {
  await canvas.page.evaluate(() => {
    window.frameTimes = [];
    const note = (time) => window.frameTimes?.push(time) && requestAnimationFrame(note);
    requestAnimationFrame(note);
  });
  await gesture(canvas);
  const times = await canvas.page.evaluate(() => {
    const taken = window.frameTimes;
    window.frameTimes = null;
    return taken;
  });
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  return { median: quantile(gaps, 0.5), p95: quantile(gaps, 0.95) };
}

export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}

/** Drags the empty canvas, which moves the view in both. */
export function pan(from) {
  return async ({ page, box }) => {
    const [x, y] = [box.x + from[0], box.y + from[1]];
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let step = 1; step <= STEPS; step += 1) await page.mouse.move(x + step * 4, y + step * 2);
    await page.mouse.up();
  };
}

/** In and out again around the middle. */
export async function zoom({ page, box }) {
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  for (let step = 0; step < STEPS; step += 1) await page.mouse.wheel(0, step % 10 < 5 ? -60 : 60);
}

/** Drags one node by its title. */
export function dragNode(id) {
  return async (canvas) => {
    const [x, y] = await canvas.grip(id);
    await canvas.page.mouse.move(x, y);
    await canvas.page.mouse.down();
    for (let step = 1; step <= STEPS; step += 1) await canvas.page.mouse.move(x + step * 2, y + step);
    await canvas.page.mouse.up();
  };
}

async function taskMs(session) {
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "TaskDuration").value * 1000;
}

/** Two frames, so that what a gesture left to be drawn is drawn. */
async function settled(page) {
  await page.evaluate(
    () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve()))),
  );
}
