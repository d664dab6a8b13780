/** A reroute node put at a socket: behind an output, or in front of an input and into its link. */
import { addNodes, connect, newNode, nextNodeId } from "../graph/commands.ts";
import type { SocketRef } from "../graph/connect.ts";
import type { Link, Point } from "../graph/document.ts";
import { REROUTE } from "../graph/virtual.ts";
import type { Editor } from "../store/editor.ts";
import type { CanvasView } from "./view.ts";

const SIZE: Point = [75, 26];
const BESIDE = 50;

/** `links` are those at the socket. */
export function putReroute(editor: Editor, view: CanvasView, socket: SocketRef, links: readonly Link[]): void {
  const at = view.socketPoint(socket);
  const box = view.scene.boxes.get(socket.node);
  if (!at || !box) return;
  const id = nextNodeId(editor.document);
  const isOutput = socket.side === "output";
  const x = isOutput ? at[0] + BESIDE : at[0] - BESIDE - SIZE[0];
  const input = box.inputs.find(({ index }) => index === socket.index)?.socket;
  const output = box.outputs.find(({ index }) => index === socket.index)?.socket;
  const [link] = links;
  const type = (isOutput ? output?.type : (link?.type ?? input?.type)) ?? "*";
  const add = addNodes([newNode(id, REROUTE, [Math.round(x), Math.round(at[1] - SIZE[1] / 2)], SIZE)]);
  editor.do({
    label: "add reroute",
    recipe: (draft) => {
      add.recipe(draft);
      if (isOutput) {
        connect({ source: socket.node, output: socket.index, target: id, input: "", type }).recipe(draft);
      } else if (input) {
        if (link) connect({ source: link.source, output: link.output, target: id, input: "", type }).recipe(draft);
        connect({ source: id, output: 0, target: socket.node, input: input.name, type }).recipe(draft);
      }
    },
  });
  editor.select([id]);
}
