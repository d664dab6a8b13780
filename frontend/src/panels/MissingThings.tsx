/** What the open workflow asks for and the server does not have, with the way to another choice or to a download. */
import { type ReactNode, useMemo, useState } from "react";
import { useApp, useDocument } from "../app.ts";
import { setValue } from "../graph/commands.ts";
import type { NodeId } from "../graph/document.ts";
import { type MissingChoice, missingChoices, type UnknownClass, unknownClasses } from "../graph/missing.ts";
import { ChoiceList } from "../widgets/ChoiceList.tsx";

export interface Missing {
  readonly choices: readonly MissingChoice[];
  readonly classes: readonly UnknownClass[];
}

const NOTHING: Missing = { choices: [], classes: [] };

/** Nothing as long as the server's nodes are not known. */
export function useMissing(): Missing {
  const document = useDocument((state) => state.history.document);
  const definitions = useDocument((state) => state.definitions);
  const hasDefinitions = useDocument((state) => state.hasDefinitions);
  return useMemo(
    () =>
      hasDefinitions
        ? { choices: missingChoices(document, definitions), classes: unknownClasses(document, definitions) }
        : NOTHING,
    [document, definitions, hasDefinitions],
  );
}

export function MissingThings({ missing }: { readonly missing: Missing }) {
  return (
    <>
      {missing.choices.map((choice) => (
        <MissingItem key={`${choice.node} ${choice.input} ${choice.value}`} choice={choice} />
      ))}
      {missing.classes.map(({ classType, nodes, pack }) => (
        <li key={classType}>
          <div className="problem-line">
            <Locate id={nodes[0]}>{classType}</Locate>
            <span className="problem-message">
              This server does not know this node{nodes.length > 1 ? `, which stands here ${nodes.length} times` : ""}.
              {pack !== null && ` It is from the pack ${pack}.`} Its data is kept.
            </span>
          </div>
        </li>
      ))}
    </>
  );
}

function Locate({ id, children }: { readonly id: NodeId | undefined; readonly children: ReactNode }) {
  const { editor, view } = useApp();
  if (id === undefined) return <span className="locate">{children}</span>;
  return (
    <button
      type="button"
      className="locate"
      title="Show this node"
      onClick={() => {
        editor.select([id]);
        view.reveal(id);
      }}
    >
      {children} <span className="outline-id">#{id}</span>
    </button>
  );
}

function MissingItem({ choice }: { readonly choice: MissingChoice }) {
  const { editor } = useApp();
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const { node, widget, input, value, choices, source } = choice;
  const owner = useDocument((state) => state.history.document.nodes[node]);
  const title = owner && (owner.title ?? editor.definitionOf(owner)?.displayName ?? owner.type);
  return (
    <li>
      <div className="problem-line">
        <Locate id={node}>{title ?? node}</Locate>
        <code>{input}</code>
        <span className="problem-message">
          “{value}” is not on this server{widget === null && ", inside this subgraph"}.
        </span>
        {widget !== null && choices.length > 0 && (
          <button type="button" className="text-button" onClick={(event) => setAnchor(event.currentTarget)}>
            Choose another…
          </button>
        )}
        {source && (
          <a href={source.url} target="_blank" rel="noreferrer noopener" title={source.url}>
            Download
          </a>
        )}
        {source && source.directory !== "" && <span className="hint">for the folder {source.directory}</span>}
      </div>
      {anchor && widget !== null && (
        <ChoiceList
          anchor={anchor}
          label={`Another ${input}`}
          choices={choices}
          chosen={value}
          onChoose={(other) => {
            editor.do(setValue(node, widget, other));
            editor.endGesture();
            setAnchor(null);
          }}
          onClose={() => setAnchor(null)}
        />
      )}
    </li>
  );
}
