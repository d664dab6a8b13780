/** Copy, cut and paste through the system's clipboard, which carries nodes as text. */
import type { App } from "../app.ts";
import { addNodes, removeNodes } from "../graph/commands.ts";
import { copyNodes, isCopiedNodes, pasteNodes } from "../graph/clipboard.ts";
import { type Json, parseJson } from "../graph/json.ts";
import type { Point } from "../graph/document.ts";
import { isField } from "./keyboard.ts";

const OFFSET = 40;

/** Listens for the clipboard and for dropped files; the answer stops it. */
export function listenToClipboard(app: App, pointerAt: () => Point): () => void {
  const copy = (event: ClipboardEvent): void => {
    const { editor } = app;
    if (isField(event.target) || editor.selection.size === 0 || !window.getSelection()?.isCollapsed) return;
    event.clipboardData?.setData("text/plain", copyNodes(editor.document, editor.selection, editor.definitions));
    event.preventDefault();
    if (event.type === "cut") {
      editor.do(removeNodes(editor.document, editor.selection));
      editor.select([]);
    }
  };
  // The browser pastes for Ctrl+Shift+V as well, but does not say which it was.
  let isShiftHeld = false;
  const watchShift = (event: KeyboardEvent): void => {
    isShiftHeld = event.shiftKey;
  };
  const paste = (event: ClipboardEvent): void => {
    if (isField(event.target)) return;
    const files = [...(event.clipboardData?.files ?? [])];
    const text = event.clipboardData?.getData("text/plain") ?? "";
    event.preventDefault();
    if (files.length > 0) void app.files.openFiles(files);
    else if (text.trim() !== "") pasteText(app, text, pointerAt(), isShiftHeld);
  };
  window.addEventListener("copy", copy);
  window.addEventListener("cut", copy);
  window.addEventListener("paste", paste);
  window.addEventListener("keydown", watchShift, true);
  return () => {
    window.removeEventListener("copy", copy);
    window.removeEventListener("cut", copy);
    window.removeEventListener("paste", paste);
    window.removeEventListener("keydown", watchShift, true);
  };
}

function pasteText(app: App, text: string, at: Point, withIncoming: boolean): void {
  const { editor } = app;
  let raw: Json = null;
  try {
    raw = parseJson(text);
  } catch {
    // Not a copied selection; opening it says what is wrong with it.
  }
  if (!isCopiedNodes(raw)) {
    void app.files.openPasted(text);
    return;
  }
  const taken = Object.values(editor.document.nodes).some((node) => node.pos[0] === at[0] && node.pos[1] === at[1]);
  const free: Point = taken ? [at[0] + OFFSET, at[1] + OFFSET] : at;
  const { nodes, links, reroutes } = pasteNodes(editor.document, raw, free, withIncoming);
  editor.do({ ...addNodes(nodes, links, reroutes), label: "paste" });
  editor.select(nodes.map((node) => node.id));
}
