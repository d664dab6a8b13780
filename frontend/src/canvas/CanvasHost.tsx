/** Puts the canvas, the node layer and the overlay on the page and feeds pointer events to the gestures. */
import { type DragEvent, useEffect, useRef } from "react";
import { useApp, useUi } from "../app.ts";
import { addNode, DRAGGED_NODE } from "../actions/add_node.ts";
import { listenToClipboard } from "../actions/clipboard_events.ts";
import type { Point } from "../graph/document.ts";
import { Gestures, type Overlay } from "./gestures.ts";
import { GroupTitleField } from "./GroupTitleField.tsx";
import { NodeLayer } from "./NodeLayer.tsx";
import { typeColour } from "./palette.ts";
import { bend } from "./curves.ts";
import { listenToPointer } from "./pointer_events.ts";
import { toWorld } from "./viewport.ts";

export function CanvasHost() {
  const app = useApp();
  const host = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const moving = useRef<HTMLCanvasElement>(null);
  const layer = useRef<HTMLDivElement>(null);
  const link = useRef<SVGPathElement>(null);
  const marquee = useRef<HTMLDivElement>(null);
  const reason = useRef<HTMLDivElement>(null);
  const cut = useRef<SVGPathElement>(null);
  const pointerAt = useRef<Point>([0, 0]);
  const isLinking = useUi((state) => state.linking !== null);
  const theme = useUi((state) => state.theme);

  useEffect(() => {
    if (!host.current || !canvas.current || !moving.current || !layer.current) return undefined;
    const element = host.current;
    const { editor, view } = app;
    const detach = view.attach({
      host: element,
      canvas: canvas.current,
      moving: moving.current,
      layer: layer.current,
    });
    const gestures = new Gestures(editor, view, overlayOf({ link, marquee, reason, cut }));
    app.gestures.set(gestures);
    const stopEvents = listenToPointer(app, element, gestures, (world) => {
      pointerAt.current = world;
    });
    const stopClipboard = listenToClipboard(app, () => pointerAt.current);
    const stopSearch = editor.ui.subscribe((state, before) => {
      if (before.search && !state.search) gestures.endLink();
    });
    return () => {
      stopEvents();
      stopClipboard();
      stopSearch();
      detach();
      app.gestures.set(null);
    };
  }, [app]);

  useEffect(() => app.view.retheme(), [app, theme]);

  const over = (event: DragEvent): void => {
    if (event.dataTransfer.types.some((type) => type === "Files" || type === DRAGGED_NODE)) event.preventDefault();
  };
  const drop = (event: DragEvent): void => {
    if (event.defaultPrevented) return;
    const definition = app.editor.definitions.get(event.dataTransfer.getData(DRAGGED_NODE));
    if (definition) {
      event.preventDefault();
      const box = event.currentTarget.getBoundingClientRect();
      addNode(app, definition, toWorld(app.view.viewport, [event.clientX - box.left, event.clientY - box.top]));
      host.current?.focus({ preventScroll: true });
      return;
    }
    if (event.dataTransfer.files.length === 0) return;
    event.preventDefault();
    void app.files.openFiles([...event.dataTransfer.files]);
  };
  return (
    <div
      ref={host}
      className={isLinking ? "canvas linking" : "canvas"}
      role="application"
      aria-label="Workflow canvas"
      // The canvas takes the keyboard: shortcuts and arrows act on the selection.
      tabIndex={0}
      onDragOver={over}
      onDrop={drop}
    >
      <canvas ref={canvas} className="base" aria-hidden="true" />
      <canvas ref={moving} aria-hidden="true" />
      <div ref={layer} className="node-layer">
        <NodeLayer />
        <GroupTitleField />
      </div>
      <svg className="overlay" aria-hidden="true">
        <path ref={link} className="dragged-link" />
        <path ref={cut} className="cut-stroke" />
      </svg>
      <div ref={marquee} className="marquee" hidden />
      <div ref={reason} className="reason" role="status" hidden />
    </div>
  );
}

interface OverlayElements {
  readonly link: { readonly current: SVGPathElement | null };
  readonly marquee: { readonly current: HTMLDivElement | null };
  readonly reason: { readonly current: HTMLDivElement | null };
  readonly cut: { readonly current: SVGPathElement | null };
}

function overlayOf({ link, marquee, reason, cut }: OverlayElements): Overlay {
  return {
    showLink: (from, to, type) => {
      const reach = bend(from, to);
      const path = `M${from.join()} C${from[0] + reach},${from[1]} ${to[0] - reach},${to[1]} ${to.join()}`;
      link.current?.setAttribute("d", path);
      link.current?.style.setProperty("stroke", typeColour(type, true));
    },
    showCut: (points) =>
      cut.current?.setAttribute("d", points ? `M${points.map((point) => point.join()).join(" L")}` : ""),
    hideLink: () => link.current?.setAttribute("d", ""),
    showReason: (text, [x, y]) => {
      if (!reason.current) return;
      reason.current.hidden = text === null;
      reason.current.textContent = text;
      reason.current.style.transform = `translate(${x + 16}px, ${y + 16}px)`;
    },
    showMarquee: (rect) => {
      const element = marquee.current;
      if (!element) return;
      element.hidden = rect === null;
      if (!rect) return;
      element.style.transform = `translate(${rect.x}px, ${rect.y}px)`;
      element.style.width = `${rect.width}px`;
      element.style.height = `${rect.height}px`;
    },
  };
}
