/** The palette of node types: opened by a double-click, or by a link that is dropped where nothing is. */
import { useEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import { addNode } from "../actions/add_node.ts";
import { type App, useApp, useDocument, useUi } from "../app.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { UiState } from "../store/ui_state.ts";
import { StarIcon } from "./icons.tsx";
import { NodePreview, TypeChip } from "./NodePreview.tsx";
import { searchNodes, socketTypes, type Wanted } from "./node_search.ts";

const MOST_SHOWN = 60;
type Search = NonNullable<UiState["search"]>;
type Side = Wanted["side"];

export function SearchDialog() {
  const search = useUi((state) => state.search);
  return search && <Palette search={search} />;
}

function Palette({ search }: { readonly search: Search }) {
  const app = useApp();
  const definitions = useDocument((state) => state.definitions);
  const habits = useStore(app.habits.state);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const [filters, setFilters] = useState<{ readonly [side in Side]: string }>({ input: "", output: "" });
  // What was used of late when the palette opened: it must not reorder under the pointer.
  const [{ recents }] = useState(habits);
  const list = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const wanted = wantedBy(app, search);
  const wantedSide = wanted?.side;
  const wantedType = wanted?.type;
  const found = useMemo(() => {
    const asked: Wanted[] = wantedSide && wantedType !== undefined ? [{ side: wantedSide, type: wantedType }] : [];
    for (const side of ["input", "output"] as const)
      if (filters[side] !== "") asked.push({ side, type: filters[side] });
    return searchNodes(definitions.values(), query, asked, { favourites: habits.favourites, recents }).slice(
      0,
      MOST_SHOWN,
    );
  }, [definitions, query, wantedSide, wantedType, filters, habits.favourites, recents]);
  const close = (): void => app.editor.ui.setState({ search: null });
  // Some browsers answer scrollIntoView with a promise, which is no clean-up.
  useEffect(() => {
    list.current?.children[active]?.scrollIntoView({ block: "nearest" });
  }, [active]);
  useEffect(() => {
    root.current?.querySelector("input")?.focus();
  }, []);
  useEffect(() => {
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target))
        app.editor.ui.setState({ search: null });
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [app]);
  const choose = (definition: NodeDefinition | undefined): void => {
    if (definition) addNode(app, definition, search.at, search.from);
    close();
  };
  const shown = found[active];
  return (
    <div
      ref={root}
      className="popup palette"
      role="dialog"
      aria-label="Add a node"
      style={{
        left: Math.max(8, Math.min(search.screen[0], window.innerWidth - 700)),
        top: Math.max(56, Math.min(search.screen[1], window.innerHeight - 450)),
      }}
      onKeyDown={(event) => {
        if (event.key === "Escape") close();
      }}
    >
      <div className="palette-field">
        <input
          className="field"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={shown ? `palette-${active}` : undefined}
          aria-label="Search nodes"
          placeholder={
            wanted ? `Nodes that ${wanted.side === "input" ? "take" : "give"} ${wanted.type}…` : "Search nodes…"
          }
          value={query}
          onChange={(event) => {
            setQuery(event.currentTarget.value);
            setActive(0);
          }}
          onKeyDown={(event) => {
            event.stopPropagation();
            const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
            if (step !== undefined) {
              event.preventDefault();
              setActive(Math.min(found.length - 1, Math.max(0, active + step)));
            } else if (event.key === "Enter") {
              event.preventDefault();
              choose(shown);
            } else if (event.altKey && event.code === "KeyF" && shown) {
              event.preventDefault();
              app.habits.toggleFavourite(shown.classType);
            } else if (event.key === "Escape") close();
          }}
        />
        {(["input", "output"] as const).map((side) =>
          wanted?.side === side ? (
            <TypeChip key={side} type={wanted.type} />
          ) : (
            <TypeFilter
              key={side}
              side={side}
              types={socketTypes(definitions.values(), side)}
              chosen={filters[side]}
              onChoose={(type) => {
                setFilters({ ...filters, [side]: type });
                setActive(0);
              }}
            />
          ),
        )}
      </div>
      <div className="palette-body">
        <div ref={list} id="palette-list" role="listbox" aria-label="Node types" tabIndex={-1} className="palette-list">
          {found.map((definition, index) => (
            <div
              key={definition.classType}
              id={`palette-${index}`}
              role="option"
              tabIndex={-1}
              aria-selected={index === active}
              className={index === active ? "palette-item active" : "palette-item"}
              data-type={definition.classType}
              onPointerMove={() => setActive(index)}
              onClick={() => choose(definition)}
              onKeyDown={() => {}}
            >
              <span className="palette-name">
                {definition.displayName}
                {habits.favourites.has(definition.classType) && <StarIcon />}
              </span>
              <span className="palette-category">
                {recents.includes(definition.classType) ? "used of late" : definition.category}
              </span>
            </div>
          ))}
          {found.length === 0 && (
            <p className="empty">
              {definitions.size < 10 ? "The server is still loading its nodes." : "No node matches."}
            </p>
          )}
        </div>
        {shown && (
          <aside className="palette-summary">
            <NodePreview definition={shown} />
            <button
              type="button"
              className="text-button"
              aria-pressed={habits.favourites.has(shown.classType)}
              title="Alt+F"
              onClick={() => app.habits.toggleFavourite(shown.classType)}
            >
              {habits.favourites.has(shown.classType) ? "No favourite any more" : "Make it a favourite"}
            </button>
          </aside>
        )}
      </div>
    </div>
  );
}

interface FilterProps {
  readonly side: Side;
  readonly types: readonly string[];
  readonly chosen: string;
  readonly onChoose: (type: string) => void;
}

function TypeFilter({ side, types, chosen, onChoose }: FilterProps) {
  return (
    <select
      className="type-filter"
      aria-label={side === "input" ? "Only nodes that take" : "Only nodes that give"}
      value={chosen}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      <option value="">{side === "input" ? "takes…" : "gives…"}</option>
      {types.map((type) => (
        <option key={type} value={type}>
          {type}
        </option>
      ))}
    </select>
  );
}

function wantedBy({ editor, view }: App, { from }: Search): Wanted | null {
  const box = from && view.scene.boxes.get(from.node);
  if (!from || !box) return null;
  const type = (
    from.side === "output" ? box.outputs[from.index] : box.inputs.find((placed) => placed.index === from.index)
  )?.socket.type;
  return editor.node(from.node) && type !== undefined
    ? { side: from.side === "output" ? "input" : "output", type }
    : null;
}
