/** A node's sockets: a dot in its type's colour and a label. While a link is dragged, those that it fits light up. */
import type { CSSProperties } from "react";
import { useApp, useUi } from "../app.ts";
import type { GraphNode } from "../graph/document.ts";
import { matchedSockets } from "../graph/match_types.ts";
import { typesFit } from "../graph/types.ts";
import type { Linking } from "../store/ui_state.ts";
import type { NodeBox, PlacedSocket } from "./geometry.ts";
import { typeColour } from "./palette.ts";

interface Props {
  readonly node: GraphNode;
  readonly box: NodeBox;
  /** Names of linked inputs, joined, so that React sees when they change. */
  readonly linked: string;
  /** What is wrong with an input, before any run. */
  readonly faultOf: (input: string) => string | undefined;
}

type Fit = "fits" | "unfit" | undefined;

export function NodeSockets({ node, box, linked, faultOf }: Props) {
  const { view, editor } = useApp();
  const linking = useUi((state) => state.linking);
  const names = new Set(linked.split("\u0000"));
  // What a template takes and gives depends on all links, so it is asked for only while one is dragged.
  const matched = linking && matchedSockets(editor.document, editor.definitions, node);
  const outputs = view.scene.index.outputsLinked(node.id);
  return (
    <>
      {box.inputs.map((placed) => {
        const fit = fitOf(linking, node, "input", placed.index, matched?.inputs);
        return (
          <Socket
            key={placed.socket.name}
            placed={placed}
            side="input"
            at={{ left: placed.x }}
            fit={fit}
            isLinked={names.has(placed.socket.name)}
            fault={placed.socket.widget === null ? faultOf(placed.socket.name) : undefined}
            isWidget={placed.socket.widget !== null}
            isRequired={placed.socket.required}
            hasLabel={!box.isCollapsed && box.title > 0 && placed.socket.widget === null}
          />
        );
      })}
      {box.outputs.map((placed) => (
        <Socket
          key={placed.index}
          placed={placed}
          side="output"
          at={{ right: box.width - placed.x }}
          fit={fitOf(linking, node, "output", placed.index, matched?.outputs)}
          isLinked={outputs.has(placed.index)}
          fault={undefined}
          isWidget={false}
          isRequired
          hasLabel={!box.isCollapsed && box.title > 0}
        />
      ))}
    </>
  );
}

function fitOf(
  linking: Linking | null,
  node: GraphNode,
  side: "input" | "output",
  index: number,
  sockets: readonly { readonly type: string }[] | undefined,
): Fit {
  const type = sockets?.[index]?.type;
  if (!linking || type === undefined) return undefined;
  const { from } = linking;
  if (from.node === node.id && from.side === side && from.index === index) return "fits";
  if (from.node === node.id || from.side === side) return "unfit";
  const fits = side === "input" ? typesFit(linking.type, type) : typesFit(type, linking.type);
  return fits ? "fits" : "unfit";
}

type Placed = PlacedSocket<{ readonly type: string; readonly label: string; readonly name: string }>;

interface SocketProps {
  readonly placed: Placed;
  readonly side: "input" | "output";
  /** Outputs stand by their right end, so that no label has to be measured. */
  readonly at: { readonly left: number } | { readonly right: number };
  readonly fit: Fit;
  readonly fault: string | undefined;
  readonly isLinked: boolean;
  readonly isWidget: boolean;
  readonly isRequired: boolean;
  readonly hasLabel: boolean;
}

function Socket({ placed, side, at, fit, fault, isLinked, isWidget, isRequired, hasLabel }: SocketProps) {
  const { socket, y } = placed;
  const style: CSSProperties & Record<"--dark" | "--light", string> = {
    ...at,
    top: y,
    "--dark": typeColour(socket.type, true),
    "--light": typeColour(socket.type, false),
  };
  const names = [
    "socket",
    side,
    isLinked ? "linked" : "free",
    isWidget ? "of-widget" : "",
    isRequired ? "" : "optional",
    fault === undefined ? "" : "faulty",
    fit ?? "",
  ];
  return (
    <span
      className={names.filter(Boolean).join(" ")}
      style={style}
      data-socket={`${side}:${placed.index}`}
      title={fault ?? `${socket.label || socket.name}: ${socket.type}`}
    >
      <i className="socket-dot" />
      {hasLabel && <span className="socket-label">{socket.label}</span>}
    </span>
  );
}
