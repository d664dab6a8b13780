/** Renames a group where its title stands. */
import { useEffect, useRef } from "react";
import { useApp, useDocument, useUi } from "../app.ts";
import { editGroup } from "../graph/place_commands.ts";
import { groupFont, groupTitle } from "./geometry.ts";

export function GroupTitleField() {
  const index = useUi((state) => state.renamingGroup);
  return index === null ? null : <Field key={index} index={index} />;
}

function Field({ index }: { readonly index: number }) {
  const { editor } = useApp();
  const group = useDocument((state) => state.history.document.groups[index]);
  const field = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  useEffect(() => {
    field.current?.focus({ preventScroll: true });
    field.current?.select();
  }, []);
  if (!group) return null;
  const finish = (text: string | null): void => {
    if (isDone.current) return;
    isDone.current = true;
    editor.ui.setState({ renamingGroup: null });
    const title = text?.trim() ?? "";
    if (title !== "" && title !== group.title) editor.do(editGroup(index, { title }));
  };
  const [x, y, width] = group.bounding;
  return (
    <input
      ref={field}
      className="title-field group-title-field"
      aria-label="Title of the group"
      defaultValue={group.title}
      style={{
        transform: `translate(${x + 4}px, ${y + 4}px)`,
        width: Math.max(120, width - 8),
        height: groupTitle(group) - 6,
        fontSize: groupFont(group),
      }}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") finish(event.currentTarget.value);
        if (event.key === "Escape") finish(null);
      }}
    />
  );
}
