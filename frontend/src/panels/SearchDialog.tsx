/** The palette of node types: opened by a double-click, or by a link that is dropped where nothing is. */
import { useEffect, useMemo, useRef, useState } from "react";
import { useApp, useDocument, useUi } from "../app.ts";
import { addNodes, type LinkEnds, newNode, nextNodeId } from "../graph/commands.ts";
import { bestInput, bestOutput } from "../graph/connect.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { NodeId } from "../graph/document.ts";
import { socketsOf } from "../graph/sockets.ts";
import { defaultSize, NOTHING_SHOWN, placeNode } from "../canvas/geometry.ts";
import { typeColour } from "../canvas/palette.ts";
import { widgetsOf } from "../graph/widgets.ts";
import type { App } from "../app.ts";
import type { UiState } from "../store/ui_state.ts";
import { searchNodes, type Wanted } from "./node_search.ts";

const MOST_SHOWN = 60;
type Search = NonNullable<UiState["search"]>;

export function SearchDialog() {
  const search = useUi((state) => state.search);
  return search && <Palette search={search} />;
}

function Palette({ search }: { readonly search: Search }) {
  const app = useApp();
  const definitions = useDocument((state) => state.definitions);
  const [query, setQuery] = useState("");
  const [active, setActive] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const root = useRef<HTMLDivElement>(null);
  const wanted = wantedBy(app, search);
  const wantedSide = wanted?.side;
  const wantedType = wanted?.type;
  const found = useMemo(() => {
    const filter = wantedSide && wantedType !== undefined ? { side: wantedSide, type: wantedType } : null;
    return searchNodes(definitions.values(), query, filter).slice(0, MOST_SHOWN);
  }, [definitions, query, wantedSide, wantedType]);
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
    if (definition) add(app, search, definition);
    close();
  };
  return (
    <div
      ref={root}
      className="popup palette"
      role="dialog"
      aria-label="Add a node"
      style={{
        left: Math.max(8, Math.min(search.screen[0], window.innerWidth - 460)),
        top: Math.max(56, Math.min(search.screen[1], window.innerHeight - 480)),
      }}
    >
      <div className="palette-field">
        <input
          className="field"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[active] ? `palette-${active}` : undefined}
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
              choose(found[active]);
            } else if (event.key === "Escape") close();
          }}
        />
        {wanted && <TypeChip type={wanted.type} />}
      </div>
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
            <span className="palette-name">{definition.displayName}</span>
            <span className="palette-category">{definition.category}</span>
          </div>
        ))}
        {found.length === 0 && (
          <p className="empty">
            {definitions.size < 10 ? "The server is still loading its nodes." : "No node matches."}
          </p>
        )}
      </div>
      {found[active] && <Summary definition={found[active]} />}
    </div>
  );
}

function TypeChip({ type }: { readonly type: string }) {
  return (
    <span className="type-chip">
      <i style={{ background: typeColour(type, true) }} />
      {type}
    </span>
  );
}

function Summary({ definition }: { readonly definition: NodeDefinition }) {
  const inputs = [...new Set(definition.inputs.filter((input) => input.widget === null).map((input) => input.type))];
  return (
    <footer className="palette-summary">
      {definition.description !== "" && <p>{definition.description}</p>}
      <div>
        {inputs.map((type) => (
          <TypeChip key={type} type={type} />
        ))}
        <span className="arrow" aria-label="gives">
          →
        </span>
        {definition.outputs.map((output, index) => (
          <TypeChip key={`${output.name}${index}`} type={output.type} />
        ))}
        {definition.outputs.length === 0 && <span className="type-chip">result</span>}
      </div>
    </footer>
  );
}

function wantedBy({ editor, view }: App, { from }: Search): Wanted | null {
  const box = from && view.scene.boxes.get(from.node);
  if (!from || !box) return null;
  const type = (from.side === "output" ? box.outputs[from.index] : box.inputs[from.index])?.socket.type;
  return editor.node(from.node) && type !== undefined
    ? { side: from.side === "output" ? "input" : "output", type }
    : null;
}

/** Adds the node where the search was opened, linked to the socket that it was opened from, as one step. */
function add({ editor, view }: App, { at, from }: Search, definition: NodeDefinition): void {
  const id = nextNodeId(editor.document);
  const plain = newNode(id, definition.classType, [0, 0], defaultSize(definition));
  const sockets = socketsOf(plain, definition);
  const box = placeNode(plain, sockets, widgetsOf(plain, definition), NOTHING_SHOWN);
  const links = from ? linkTo({ editor, view }, id, from, sockets) : [];
  // The socket that the link ends in comes to where the link was dropped.
  const first = links[0];
  const socket =
    first &&
    (first.target === id ? box.inputs.find((input) => input.socket.name === first.input) : box.outputs[first.output]);
  const [dx, dy] = socket ? [socket.x, socket.y] : [box.width / 2, 0];
  const node = {
    ...plain,
    pos: [Math.round(at[0] - dx), Math.round(at[1] - dy)] as const,
    size: [box.width, box.height] as const,
  };
  editor.do(addNodes([node], links));
  editor.select([id]);
}

function linkTo(
  { editor, view }: Pick<App, "editor" | "view">,
  id: NodeId,
  from: NonNullable<Search["from"]>,
  sockets: ReturnType<typeof socketsOf>,
): LinkEnds[] {
  const box = view.scene.boxes.get(from.node);
  if (!box || !editor.node(from.node)) return [];
  if (from.side === "output") {
    const type = box.outputs[from.index]?.socket.type ?? "*";
    const input = bestInput(sockets, type, new Set());
    return input ? [{ source: from.node, output: from.index, target: id, input: input.name, type }] : [];
  }
  const input = box.inputs[from.index]?.socket;
  const output = input ? bestOutput(sockets, input.type) : -1;
  if (!input || output < 0) return [];
  return [
    { source: id, output, target: from.node, input: input.name, type: sockets.outputs[output]?.type ?? input.type },
  ];
}
