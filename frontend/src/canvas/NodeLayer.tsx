/** The DOM layer: one body for each node that the view has mounted. Rendered anew only when that set changes. */
import { useStore } from "zustand";
import { useApp } from "../app.ts";
import { NodeBody } from "./NodeBody.tsx";

export function NodeLayer() {
  const { view } = useApp();
  const ids = useStore(view.mounted, (state) => state.ids);
  return ids.map((id) => <NodeBody key={id} id={id} />);
}
