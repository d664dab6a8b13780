/** The canvas's DOM events: pointers become gestures, the wheel zooms, the right button opens the menu. */
import type { App } from "../app.ts";
import type { Point } from "../graph/document.ts";
import { removeReroute } from "../graph/place_commands.ts";
import type { MenuTarget } from "../store/ui_state.ts";
import type { Gestures } from "./gestures.ts";
import type { Hit } from "./hit.ts";
import { toWorld } from "./viewport.ts";
import { scrollsItself, wheelFactor } from "./wheel.ts";

/** What keeps its own clicks and drags. */
const INTERACTIVE = "[data-widget], .node-error, .picture a, .title-field";

/** Listens until the answer is called. `onPoint` is told where in the world the pointer is. */
export function listenToPointer(
  app: App,
  element: HTMLElement,
  gestures: Gestures,
  onPoint: (world: Point) => void,
): () => void {
  const { view } = app;
  const at = (event: MouseEvent): Point => {
    const { left, top } = element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const down = (event: PointerEvent): void => {
    app.editor.ui.setState({ menu: null });
    if (event.button !== 1 && selectInteractive(app, event.target)) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture(event.pointerId);
    gestures.pointer("down", event, at(event));
  };
  const move = (event: PointerEvent): void => {
    onPoint(toWorld(view.viewport, at(event)));
    if (gestures.isBusy) gestures.pointer("move", event, at(event));
  };
  const wheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey && scrollsItself(event)) return;
    event.preventDefault();
    const [x, y] = at(event);
    const zooms = event.ctrlKey || event.metaKey;
    if (event.shiftKey && !zooms) view.panBy(-(event.deltaX || event.deltaY), 0);
    else if (!zooms && app.editor.ui.getState().navigation === "standard") view.panBy(-event.deltaX, -event.deltaY);
    else view.zoomAt(x, y, wheelFactor(event));
  };
  const stop = new AbortController();
  const { signal } = stop;
  element.addEventListener("pointerdown", down, { signal });
  element.addEventListener("pointermove", move, { signal });
  element.addEventListener("pointerup", (event) => gestures.pointer("up", event, at(event)), { signal });
  element.addEventListener("pointercancel", (event) => gestures.pointer("cancel", event, at(event)), { signal });
  element.addEventListener("contextmenu", (event) => openMenu(app, event, at(event)), { signal });
  element.addEventListener("wheel", wheel, { signal, passive: false });
  return () => stop.abort();
}

/** A press on a widget is the widget's, but its node becomes the selected one. True if it was on such a thing. */
function selectInteractive({ editor }: App, target: EventTarget | null): boolean {
  const interactive = target instanceof Element ? target.closest(INTERACTIVE) : null;
  if (!interactive) return false;
  const id = interactive.closest<HTMLElement>("[data-node]")?.dataset["node"];
  const node = Object.values(editor.document.nodes).find((candidate) => candidate.id === id);
  if (node && !editor.selection.has(node.id)) editor.select([node.id]);
  return true;
}

function openMenu({ editor, view }: App, event: MouseEvent, at: Point): void {
  if (event.target instanceof Element && event.target.closest("input, textarea, .picture")) return;
  event.preventDefault();
  // Ctrl and the right button cut links.
  if (event.ctrlKey && event.button === 2) return;
  const hit = view.hit(at);
  if (hit.kind === "reroute" && event.altKey) return editor.do(removeReroute(editor.document, hit.id));
  if ((hit.kind === "node" || hit.kind === "resize") && !editor.selection.has(hit.id)) editor.select([hit.id]);
  if (hit.kind === "void" || hit.kind === "link" || hit.kind === "reroute") editor.select([]);
  if (hit.kind === "group") editor.selectGroup(hit.index);
  const screen: Point = [event.clientX, event.clientY];
  editor.ui.setState({ menu: { screen, world: toWorld(view.viewport, at), on: targetOf(hit) } });
}

function targetOf(hit: Hit): MenuTarget {
  switch (hit.kind) {
    case "void":
      return { kind: "canvas" };
    case "group":
      return { kind: "group", index: hit.index };
    case "link":
    case "reroute":
      return hit;
    case "node":
    case "resize":
    case "socket":
      return { kind: "nodes" };
  }
}
