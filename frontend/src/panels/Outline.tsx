/** All nodes as a tree: for finding them, and for reaching them without a mouse or without sight. */
import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useApp, useDocument, useRun, useUi } from "../app.ts";
import { type GraphNode, linksOf, type NodeId } from "../graph/document.ts";
import { definitionOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { rank, search } from "../widgets/choices.ts";

export function Outline() {
  const { editor, view } = useApp();
  const document = useDocument((state) => state.history.document);
  const definitions = useDocument((state) => state.definitions);
  const [query, setQuery] = useState("");
  const finds = useUi((state) => state.finds);
  const field = useRef<HTMLInputElement>(null);
  const tree = useRef<HTMLDivElement>(null);
  const titleOf = (node: GraphNode): string =>
    node.title ?? definitionOf(document, definitions, node)?.displayName ?? node.type;
  const nodes = Object.values(document.nodes).toSorted((a, b) => a.pos[0] - b.pos[0] || a.pos[1] - b.pos[1]);
  const valuesOf = (node: GraphNode): string =>
    Object.values(widgetsOf(node, definitionOf(document, definitions, node)).values)
      .map(String)
      .join("\n");
  const found = query.trim() === "" ? nodes : findNodes(nodes, query, titleOf, valuesOf);
  useEffect(() => {
    if (finds > 0) field.current?.select();
  }, [finds]);
  const choose = (id: NodeId): void => {
    editor.select([id]);
    view.reveal(id);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const items = [...(tree.current?.querySelectorAll<HTMLElement>("[role=treeitem]") ?? [])];
    const index = items.findIndex((item) => item === window.document.activeElement);
    if (step !== undefined) {
      event.preventDefault();
      items[Math.min(items.length - 1, Math.max(0, index + step))]?.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      items[index]?.click();
    }
  };
  return (
    <nav className="outline" aria-label="Outline">
      <header>
        <h2>Nodes</h2>
        <span className="count">{nodes.length}</span>
      </header>
      <input
        ref={field}
        className="field"
        type="search"
        placeholder="Find a node or value…"
        onKeyDown={(event) => {
          const [first] = found;
          if (event.key === "Enter" && first) choose(first.id);
        }}
        aria-label="Find a node"
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
      />
      <div
        ref={tree}
        className="outline-tree"
        role="tree"
        aria-label="Nodes"
        tabIndex={-1}
        onKeyDown={onKeyDown}
        data-scrolls
      >
        {found.map((node, index) => (
          <OutlineItem key={node.id} node={node} title={titleOf(node)} isFirst={index === 0} onChoose={choose} />
        ))}
        {nodes.length === 0 && <p className="empty">Double-click the canvas to add a node.</p>}
      </div>
    </nav>
  );
}

/** By name, type and id; then those that hold a value with these letters in it. */
function findNodes(
  nodes: readonly GraphNode[],
  query: string,
  titleOf: (node: GraphNode) => string,
  valuesOf: (node: GraphNode) => string,
): GraphNode[] {
  const named = search(nodes, query, (node) => `${titleOf(node)} ${node.type} #${node.id}`);
  const wanted = query.trim().toLowerCase();
  const known = new Set(named);
  const holding = nodes.filter((node) => !known.has(node) && valuesOf(node).toLowerCase().includes(wanted));
  // Letters strewn over a name say less than a value that has them together.
  const close = named.filter((node) => (rank(`${titleOf(node)} ${node.type} #${node.id}`, query) ?? 9) < 4);
  const far = named.filter((node) => !close.includes(node));
  return [...close, ...holding, ...far];
}

interface ItemProps {
  readonly node: GraphNode;
  readonly title: string;
  readonly isFirst: boolean;
  readonly onChoose: (id: NodeId) => void;
}

function OutlineItem({ node, title, isFirst, onChoose }: ItemProps) {
  const isSelected = useDocument((state) => state.selection.has(node.id));
  const run = useRun((state) => state.nodes[node.id]);
  const count = useDocument(
    (state) => linksOf(state.history.document).filter((link) => link.target === node.id).length,
  );
  const state = run?.state ?? "idle";
  return (
    <div
      role="treeitem"
      aria-selected={isSelected}
      aria-label={`${title}, ${count} linked ${count === 1 ? "input" : "inputs"}${state === "idle" ? "" : `, ${state}`}`}
      tabIndex={isFirst || isSelected ? 0 : -1}
      className={isSelected ? "outline-item selected" : "outline-item"}
      onClick={() => onChoose(node.id)}
      onKeyDown={() => {}}
    >
      <i className={`state-dot is-${state}`} />
      <span className="outline-title">{title}</span>
      <span className="outline-id">{node.id}</span>
    </div>
  );
}
