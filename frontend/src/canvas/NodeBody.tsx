/** A node as DOM: title bar with its state, sockets, widgets, and what it made. Stands where geometry.ts says. */
import { type DragEvent, memo, useCallback } from "react";
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { setShowsAdvanced, setValue } from "../graph/commands.ts";
import { BYPASSED, type GraphNode, MUTED, type NodeId } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import { nodeFaults } from "../graph/faults.ts";
import { writeJson } from "../graph/json.ts";
import { widgetsOf, type Widgets } from "../graph/widgets.ts";
import type { NodeRun } from "../store/run_state.ts";
import type { NodeBox } from "./geometry.ts";
import { NodePicture } from "./NodePicture.tsx";
import { NodeSockets } from "./NodeSockets.tsx";
import { NodeTitle } from "./NodeTitle.tsx";
import { NodeWidget } from "./NodeWidget.tsx";

export const NodeBody = memo(function NodeBody({ id }: { readonly id: NodeId }) {
  const { view } = useApp();
  const node = useDocument((state) => state.history.document.nodes[id]);
  // The scene is derived from both stores; asking it again after either changed gives the same box if nothing did.
  useRun(() => view.scene.boxes.get(id));
  const box = useDocument(() => view.scene.boxes.get(id));
  const definition = useDocument(() => node && view.definitionOf(node));
  return node && box ? <Body node={node} box={box} definition={definition} /> : null;
});

const NO_LINKS: ReadonlySet<string> = new Set();

interface BodyProps {
  readonly node: GraphNode;
  readonly box: NodeBox;
  readonly definition: NodeDefinition | undefined;
}

function Body({ node, box, definition }: BodyProps) {
  const { view } = useApp();
  const { id } = node;
  const isSelected = useDocument((state) => state.selection.has(id));
  const rank = useDocument((state) => state.raised.indexOf(id) + 1);
  const run = useRun((state) => state.nodes[id]);
  const linked = useDocument(() => [...(view.scene.linked.get(id) ?? [])].join("\u0000"));
  const hasDefinitions = useDocument((state) => state.hasDefinitions);
  const attach = useCallback((element: HTMLElement | null) => view.attachBody(id, element), [view, id]);
  const drop = usePictureDrop(id, widgetsOf(node, definition));
  const title = node.title ?? definition?.displayName ?? node.type;
  const faults = nodeFaults(node, definition, view.scene.linked.get(id) ?? NO_LINKS);
  const faultOf = (input: string): string | undefined => faults.find((fault) => fault.input === input)?.message;
  const isUnknown = !definition && hasDefinitions;
  const isReroute = box.title === 0;
  return (
    <article
      ref={attach}
      className={classNames(node, { isSelected, isUnknown, isReroute, isCollapsed: box.isCollapsed }, run)}
      data-node={id}
      data-type={node.type}
      data-state={run?.state ?? "idle"}
      aria-label={title}
      style={{
        left: box.rect.x,
        top: box.rect.y,
        width: box.width,
        height: box.rect.height,
        // What failed stands above what did not, so that its message can be read.
        zIndex: rank + (run?.state === "error" ? 1000 : 0),
      }}
      onDragOver={drop.over}
      onDrop={drop.drop}
    >
      {!isReroute && (
        <NodeTitle
          id={id}
          title={title}
          type={node.type}
          mode={node.mode}
          color={node.color}
          mark={markOf(box)}
          run={run}
        />
      )}
      <div className="node-body">
        <NodeSockets node={node} box={box} linked={linked} faultOf={faultOf} />
        {box.widgets.map((placed) => (
          <NodeWidget
            key={placed.entry.key}
            node={node}
            definition={definition}
            title={title}
            placed={placed}
            linked={linked}
            fault={faultOf(placed.entry.input.name)}
          />
        ))}
        {box.more && <MoreLine id={id} title={title} place={box.more} />}
        {isUnknown && <UnknownNode node={node} />}
        {box.text && <ShownText id={id} place={box.text} />}
        {box.picture && <NodePicture node={node} definition={definition} place={box.picture} />}
        {isSelected && !isReroute && !box.isCollapsed && <span className="resize-corner" aria-hidden="true" />}
      </div>
      <NodeErrors id={id} />
    </article>
  );
}

/** A node is about what it gives; one that gives nothing, about what it takes. */
function markOf(box: NodeBox): string {
  return (box.outputs[0] ?? box.inputs[0])?.socket.type ?? "*";
}

interface Looks {
  readonly isSelected: boolean;
  readonly isUnknown: boolean;
  readonly isReroute: boolean;
  readonly isCollapsed: boolean;
}

function classNames(node: GraphNode, looks: Looks, run: NodeRun | undefined): string {
  const names: [boolean, string][] = [
    [looks.isSelected, "selected"],
    [looks.isUnknown, "unknown"],
    [looks.isReroute, "reroute"],
    [looks.isCollapsed, "collapsed"],
    [node.mode === MUTED, "muted"],
    [node.mode === BYPASSED, "bypassed"],
    [run !== undefined, `is-${run?.state}`],
  ];
  return ["node", ...names.filter(([has]) => has).map(([, name]) => name)].join(" ");
}

interface MoreProps {
  readonly id: NodeId;
  readonly title: string;
  readonly place: NonNullable<NodeBox["more"]>;
}

function MoreLine({ id, title, place: { y, height, hidden } }: MoreProps) {
  const { editor } = useApp();
  const isOpen = hidden === 0;
  return (
    <button
      type="button"
      className="widget more-line"
      style={{ top: y, height }}
      data-widget="advanced"
      aria-expanded={isOpen}
      aria-label={`Advanced inputs of ${title}`}
      onClick={() => editor.do(setShowsAdvanced([id], !isOpen))}
    >
      <span>{isOpen ? "Less" : `${hidden} more`}</span>
    </button>
  );
}

function UnknownNode({ node }: { readonly node: GraphNode }) {
  const values = node.saved?.["widgets_values"] ?? node.values;
  return (
    <div className="unknown-note">
      <p>This server does not know “{node.type}”. Its data is kept as it is.</p>
      <code>{writeJson(values)}</code>
    </div>
  );
}

function ShownText({
  id,
  place,
}: {
  readonly id: NodeId;
  readonly place: { readonly y: number; readonly height: number };
}) {
  const texts = useRun((state) => state.texts[id]);
  return (
    <pre className="shown-text" style={{ top: place.y, height: place.height }} data-scrolls>
      {texts?.join("\n")}
    </pre>
  );
}

function NodeErrors({ id }: { readonly id: NodeId }) {
  const { editor } = useApp();
  const problems = useRun((state) => state.problems);
  const isShown = useUi((state) => state.isProblemsOpen);
  const own = problems.filter((problem) => problem.node === id);
  const first = own[0];
  if (!first) return null;
  return (
    <button
      type="button"
      className="node-error"
      aria-pressed={isShown}
      onClick={() => editor.ui.setState({ isProblemsOpen: true })}
    >
      {first.input !== null && <strong>{first.input}: </strong>}
      {first.message}
      {own.length > 1 && ` (and ${own.length - 1} more)`}
    </button>
  );
}

/** A picture dropped on a node that takes uploads becomes its input. */
function usePictureDrop(id: NodeId, widgets: Widgets) {
  const { editor, api } = useApp();
  const upload = widgets.entries.find((entry) => entry.role === "upload");
  const over = (event: DragEvent): void => {
    if (upload && event.dataTransfer.types.includes("Files")) event.preventDefault();
  };
  const drop = (event: DragEvent): void => {
    const file = [...event.dataTransfer.files].find((candidate) => candidate.type.startsWith("image/"));
    if (!upload || !file) return;
    event.preventDefault();
    event.stopPropagation();
    api
      .uploadImage(file)
      .then((name) => editor.do(setValue(id, upload.input.name, name)))
      .catch((error: unknown) => editor.toast("error", error instanceof Error ? error.message : String(error)));
  };
  return { over, drop };
}
