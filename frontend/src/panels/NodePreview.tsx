/** A node type as it would stand on the canvas, with what its author says about it. */
import type { CSSProperties } from "react";
import type { InputDefinition, NodeDefinition } from "../graph/definitions.ts";
import { type Json, writeJson } from "../graph/json.ts";
import { typeColour } from "../canvas/palette.ts";

const MOST_WIDGETS = 9;

export function TypeChip({ type }: { readonly type: string }) {
  return (
    <span className="type-chip">
      <i style={{ background: typeColour(type, true) }} />
      {type}
    </span>
  );
}

export function NodePreview({ definition }: { readonly definition: NodeDefinition }) {
  const sockets = definition.inputs.filter((input) => input.widget === null);
  const widgets = definition.inputs.filter((input) => input.widget !== null);
  const rest = widgets.length - MOST_WIDGETS;
  return (
    <div className="node-preview">
      <div className="preview-node" aria-hidden="true">
        <strong>{definition.displayName}</strong>
        <div className="preview-sockets">
          <ul>
            {sockets.map((input) => (
              <li key={input.name} style={colourOf(input.type)}>
                <i />
                {input.name}
              </li>
            ))}
          </ul>
          <ul className="right">
            {definition.outputs.map((output, index) => (
              <li key={`${output.name}${index}`} style={colourOf(output.type)}>
                {output.name}
                <i />
              </li>
            ))}
          </ul>
        </div>
        {widgets.slice(0, MOST_WIDGETS).map((input) => (
          <div key={input.name} className="preview-widget">
            <span>{input.name}</span>
            <span>{shown(input)}</span>
          </div>
        ))}
        {rest > 0 && <p className="hint">and {rest} more</p>}
      </div>
      {definition.description !== "" && <p className="preview-words">{definition.description}</p>}
      <p className="preview-words">
        Takes {listOf(sockets.map(({ type }) => type))}; gives {listOf(definition.outputs.map(({ type }) => type))}.
      </p>
      <p className="hint">
        {definition.category} · {definition.classType}
        {definition.isDeprecated && " · deprecated"}
      </p>
    </div>
  );
}

function colourOf(type: string): CSSProperties {
  return { "--socket": typeColour(type, true) } as CSSProperties;
}

function shown({ options, choices }: InputDefinition): string {
  const value: Json | undefined = options["default"] ?? choices?.[0];
  if (value === undefined) return "";
  return typeof value === "string" ? value : writeJson(value);
}

function listOf(types: readonly string[]): string {
  return types.length === 0 ? "nothing" : [...new Set(types)].join(", ");
}
