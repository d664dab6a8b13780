/** All node types by category, favourites on top: a click adds one in the middle, a drag where it is dropped. */
import { type KeyboardEvent, type ReactNode, useMemo, useState } from "react";
import { useStore } from "zustand";
import { addNode, DRAGGED_NODE } from "../actions/add_node.ts";
import { useApp, useDocument } from "../app.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import { CloseIcon, StarIcon } from "./icons.tsx";
import { NodePreview } from "./NodePreview.tsx";
import { searchNodes } from "./node_search.ts";
import { moveInTree } from "./tree_keys.ts";

interface Branch {
  readonly name: string;
  readonly path: string;
  readonly branches: readonly Branch[];
  readonly nodes: readonly NodeDefinition[];
}

export default function NodeLibrary() {
  const { editor, habits } = useApp();
  const definitions = useDocument((state) => state.definitions);
  const { favourites } = useStore(habits.state);
  const [query, setQuery] = useState("");
  const [opened, setOpened] = useState<ReadonlySet<string>>(new Set());
  const [shown, setShown] = useState<NodeDefinition | null>(null);
  const tree = useMemo(() => branchOf("", "", [...definitions.values()], 0), [definitions]);
  const found = useMemo(
    () => (query.trim() === "" ? null : searchNodes(definitions.values(), query, [], { favourites, recents: [] })),
    [definitions, query, favourites],
  );
  const marked = [...favourites].flatMap((type) => definitions.get(type) ?? []);
  const toggle = (path: string): void => {
    setOpened(new Set(opened.has(path) ? [...opened].filter((known) => known !== path) : [...opened, path]));
  };
  const items = (nodes: readonly NodeDefinition[], level: number): ReactNode[] =>
    nodes.map((definition) => (
      <Item key={definition.classType} definition={definition} level={level} onShow={setShown} />
    ));
  const branches = (list: readonly Branch[], level: number): ReactNode[] =>
    list.flatMap((branch) => {
      const isOpen = opened.has(branch.path);
      return [
        <div
          key={branch.path}
          role="treeitem"
          aria-level={level}
          aria-expanded={isOpen}
          aria-selected={false}
          tabIndex={-1}
          className="tree-item folder"
          style={{ paddingLeft: 8 + (level - 1) * 14 }}
          onClick={() => toggle(branch.path)}
          onKeyDown={() => {}}
        >
          <i className="twist" aria-hidden="true" />
          <span className="tree-name">{branch.name}</span>
          <span className="count">{countOf(branch)}</span>
        </div>,
        ...(isOpen ? [...branches(branch.branches, level + 1), ...items(branch.nodes, level + 1)] : []),
      ];
    });
  return (
    <nav className="outline library" aria-label="Node library">
      <header>
        <h2>Node library</h2>
        <button
          type="button"
          className="tool"
          aria-label="Close the node library"
          onClick={() => editor.ui.setState({ side: null })}
        >
          <CloseIcon />
        </button>
      </header>
      <input
        className="field"
        type="search"
        placeholder="Search nodes…"
        aria-label="Search the library"
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
      />
      <div
        className="outline-tree"
        role="tree"
        aria-label="Node types"
        tabIndex={0}
        data-scrolls
        onKeyDown={(event: KeyboardEvent<HTMLElement>) => moveInTree(event)}
        onPointerLeave={() => setShown(null)}
      >
        {found && items(found, 1)}
        {!found && marked.length > 0 && <h3>Favourites</h3>}
        {!found && items(marked, 1)}
        {!found && marked.length > 0 && <h3>All</h3>}
        {!found && branches(tree.branches, 1)}
        {!found && items(tree.nodes, 1)}
        {found?.length === 0 && <p className="empty">No node matches.</p>}
      </div>
      {shown && (
        <div className="popup library-preview">
          <NodePreview definition={shown} />
        </div>
      )}
    </nav>
  );
}

interface ItemProps {
  readonly definition: NodeDefinition;
  readonly level: number;
  readonly onShow: (definition: NodeDefinition | null) => void;
}

function Item({ definition, level, onShow }: ItemProps) {
  const app = useApp();
  const { classType, displayName } = definition;
  const isFavourite = useStore(app.habits.state, ({ favourites }) => favourites.has(classType));
  return (
    <div
      role="treeitem"
      aria-level={level}
      aria-selected={false}
      tabIndex={-1}
      className="tree-item"
      data-type={classType}
      style={{ paddingLeft: 18 + (level - 1) * 14 }}
      draggable
      onDragStart={(event) => {
        onShow(null);
        event.dataTransfer.setData(DRAGGED_NODE, classType);
        event.dataTransfer.effectAllowed = "copy";
      }}
      onPointerEnter={() => onShow(definition)}
      onFocus={() => onShow(definition)}
      onBlur={() => onShow(null)}
      onClick={() => addNode(app, definition, app.view.middle)}
      onKeyDown={(event) => {
        if (event.key === "f" && !event.ctrlKey && !event.metaKey) app.habits.toggleFavourite(classType);
      }}
    >
      <span className="tree-name">{displayName}</span>
      <button
        type="button"
        tabIndex={-1}
        className={isFavourite ? "star chosen" : "star"}
        aria-pressed={isFavourite}
        aria-label={`${displayName} is a favourite`}
        title="Favourite (F)"
        onClick={(event) => {
          event.stopPropagation();
          app.habits.toggleFavourite(classType);
        }}
      >
        <StarIcon />
      </button>
    </div>
  );
}

function branchOf(name: string, path: string, nodes: readonly NodeDefinition[], depth: number): Branch {
  const here: NodeDefinition[] = [];
  const deeper = new Map<string, NodeDefinition[]>();
  for (const node of nodes) {
    const part = node.category.split("/")[depth];
    if (part === undefined || part === "") here.push(node);
    else deeper.set(part, [...(deeper.get(part) ?? []), node]);
  }
  const branches = [...deeper]
    .map(([part, inside]) => branchOf(part, `${path}/${part}`, inside, depth + 1))
    .toSorted((a, b) => (sortKey(a.name) < sortKey(b.name) ? -1 : 1));
  return { name, path, branches, nodes: searchNodes(here, "") };
}

/** What packs and authors hide behind an underscore comes last. */
function sortKey(name: string): string {
  return (name.startsWith("_") ? "\uffff" : "") + name.toLowerCase();
}

function countOf({ branches, nodes }: Branch): number {
  return branches.reduce((sum, branch) => sum + countOf(branch), nodes.length);
}
