/** Adding a node: from the search, the library, or a link that was dropped in the void. */
import type { App } from "../app.ts";
import { defaultSize, NOTHING_SHOWN, placeNode } from "../canvas/geometry.ts";
import { addNodes, type LinkEnds, newNode, nextNodeId } from "../graph/commands.ts";
import { bestInput, bestOutput, type SocketRef } from "../graph/connect.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { NodeId, Point } from "../graph/document.ts";
import { socketsOf } from "../graph/sockets.ts";
import { widgetsOf } from "../graph/widgets.ts";

/** What a drag out of the library carries: the class of the node. */
export const DRAGGED_NODE = "application/x-heddle-node";

/** Adds a node of a type at a place of the world, linked to the socket `from` where it can be, as one step. */
export function addNode(app: App, definition: NodeDefinition, at: Point, from: SocketRef | null = null): void {
  const { editor, habits } = app;
  const id = nextNodeId(editor.document);
  const plain = newNode(id, definition.classType, [0, 0], defaultSize(definition));
  const sockets = socketsOf(plain, definition);
  const box = placeNode(plain, sockets, widgetsOf(plain, definition), NOTHING_SHOWN);
  const links = from ? linkTo(app, id, from, sockets) : [];
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
  habits.used(definition.classType);
}

function linkTo(
  { editor, view }: Pick<App, "editor" | "view">,
  id: NodeId,
  from: SocketRef,
  sockets: ReturnType<typeof socketsOf>,
): LinkEnds[] {
  const box = view.scene.boxes.get(from.node);
  if (!box || !editor.node(from.node)) return [];
  if (from.side === "output") {
    const type = box.outputs[from.index]?.socket.type ?? "*";
    const input = bestInput(sockets, type, new Set());
    return input ? [{ source: from.node, output: from.index, target: id, input: input.name, type }] : [];
  }
  const input = box.inputs.find((placed) => placed.index === from.index)?.socket;
  const output = input ? bestOutput(sockets, input.type) : -1;
  if (!input || output < 0) return [];
  return [
    { source: id, output, target: from.node, input: input.name, type: sockets.outputs[output]?.type ?? input.type },
  ];
}
