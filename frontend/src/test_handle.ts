/**
 * window.__heddle: what a browser test needs to drive real pointer events on the canvas and to see what came of them.
 * Read-only towards the document; always there, so that the built editor is what is tested.
 */
import type { App } from "./app.ts";
import { linkInto, nodeId, type Point } from "./graph/document.ts";
import type { Json, JsonObject } from "./graph/json.ts";
import { writePrompt } from "./graph/write_prompt.ts";
import { widgetsOf } from "./graph/widgets.ts";
import { partsOf, pointOn } from "./canvas/curves.ts";
import { curveOf } from "./canvas/scene.ts";
import { toScreen, type Viewport } from "./canvas/viewport.ts";
import type { Database } from "./store/database.ts";
import { overallProgress, phaseOf, type RunState } from "./store/run_state.ts";

export interface TestHandle {
  /** Whether the server's node definitions have come. */
  readonly isReady: () => boolean;
  /** The document as the workflow file that saving would write. */
  readonly workflow: () => JsonObject;
  /** The prompt that a run would send, before seeds are drawn. */
  readonly prompt: () => unknown;
  /** Whether the browser's storage has all that was done. */
  readonly isKept: () => boolean;
  /** Names of the open workflows, in the order of their tabs. */
  readonly tabs: () => string[];
  readonly nodeIds: () => string[];
  /** Ids of the nodes of a class. */
  readonly nodesOfType: (classType: string) => string[];
  readonly selection: () => string[];
  /** A widget's value as it is shown; undefined when there is none. */
  readonly value: (node: string, widget: string) => Json | undefined;
  /** The middle of a socket on the page, in CSS pixels; index as the node shows them, or an input's name. */
  readonly slotPoint: (node: string, side: "input" | "output", index: number | string) => Point | null;
  /** The middle of a node's title bar on the page. */
  readonly titlePoint: (node: string) => Point | null;
  /** A place on the canvas, of a point of the world. */
  readonly worldPoint: (x: number, y: number) => Point;
  /** The middle of a link's first part on the page; of the link into this input. */
  readonly linkPoint: (node: string, input: string) => Point | null;
  readonly selectedGroup: () => number | null;
  /** A place on the canvas where nothing is. */
  readonly emptyPoint: () => Point | null;
  readonly viewport: () => Viewport;
  readonly setViewport: (viewport: Viewport) => void;
  readonly fit: () => void;
  readonly canUndo: () => boolean;
  readonly run: () => RunSnapshot;
}

export interface RunSnapshot {
  readonly phase: string;
  readonly progress: number | null;
  readonly outcome: string | null;
  readonly promptId: string | null;
  readonly states: { readonly [node: string]: string };
  readonly previews: readonly string[];
  readonly pictures: RunState["pictures"];
  readonly problems: RunState["problems"];
  readonly queueRemaining: number;
}

declare global {
  interface Window {
    __heddle?: TestHandle;
  }
}

export function makeTestHandle({ editor, saving, tabs, view }: App, database: Database): TestHandle {
  const onPage = (world: Point): Point => view.onPage(toScreen(view.viewport, world));
  return {
    isReady: () => editor.documents.getState().hasDefinitions,
    workflow: () => saving.workflow(),
    isKept: () => database.isAtRest,
    tabs: () => tabs.state.getState().order.map((id) => tabs.stateOf(id)?.name ?? ""),
    prompt: () => writePrompt(editor.document, editor.definitions),
    nodeIds: () => Object.keys(editor.document.nodes),
    nodesOfType: (classType) =>
      Object.values(editor.document.nodes)
        .filter((node) => node.type === classType)
        .map((node) => node.id),
    selection: () => [...editor.selection],
    value: (id, widget) => {
      const node = editor.node(nodeId(id));
      return node && widgetsOf(node, editor.definitionOf(node)).values[widget];
    },
    slotPoint: (id, side, index) => {
      const box = view.scene.boxes.get(nodeId(id));
      const sockets = side === "input" ? box?.inputs : box?.outputs;
      const placed = sockets?.find((candidate) => candidate.index === index || candidate.socket.name === index);
      return box && placed ? onPage([box.rect.x + placed.x, box.rect.y + box.title + placed.y]) : null;
    },
    titlePoint: (id) => {
      const rect = view.scene.boxes.get(nodeId(id))?.rect;
      return rect ? onPage([rect.x + Math.min(60, rect.width / 2), rect.y + 15]) : null;
    },
    worldPoint: (x, y) => onPage([x, y]),
    linkPoint: (id, input) => {
      const link = linkInto(editor.document, nodeId(id), input);
      const curve = link && curveOf(view.scene, link);
      const [from, to] = curve ? (partsOf(curve)[0] ?? []) : [];
      return from && to ? onPage(pointOn(from, to, 0.5)) : null;
    },
    selectedGroup: () => editor.documents.getState().group,
    emptyPoint: () => {
      const { left, top, width, height } = hostBox();
      for (let y = height - 80; y > 20; y -= 30) {
        for (let x = 30; x < width - 30; x += 30) if (view.hit([x, y]).kind === "void") return [x + left, y + top];
      }
      return null;
    },
    viewport: () => view.viewport,
    setViewport: (viewport) => view.setViewport(viewport),
    fit: () => view.fit(),
    canUndo: () => editor.documents.getState().history.past.length > 0,
    run: () => snapshot(editor.runs.getState()),
  };
}

function hostBox(): DOMRect {
  return document.querySelector(".canvas")?.getBoundingClientRect() ?? new DOMRect();
}

function snapshot(run: RunState): RunSnapshot {
  return {
    phase: phaseOf(run),
    progress: overallProgress(run),
    outcome: run.last?.outcome ?? null,
    promptId: run.running ?? run.last?.promptId ?? null,
    states: Object.fromEntries(Object.entries(run.nodes).map(([id, node]) => [id, node.state])),
    previews: Object.keys(run.previews),
    pictures: run.pictures,
    problems: run.problems,
    queueRemaining: run.queueRemaining,
  };
}
