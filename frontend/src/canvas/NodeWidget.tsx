/** One widget in its place on a node, joined to the document. */
import { memo } from "react";
import { useApp, useDocument, useRun } from "../app.ts";
import { setValue } from "../graph/commands.ts";
import type { GraphNode } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import type { Json } from "../graph/json.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { controlKey } from "../store/controls.ts";
import { SeedControl } from "../widgets/SeedControl.tsx";
import { UploadWidget } from "../widgets/UploadWidget.tsx";
import { Widget } from "../widgets/Widget.tsx";
import type { PlacedWidget } from "./geometry.ts";

interface Props {
  readonly node: GraphNode;
  readonly definition: NodeDefinition | undefined;
  readonly title: string;
  readonly placed: PlacedWidget;
  readonly linked: string;
  /** What is wrong with the value, before any run. */
  readonly fault: string | undefined;
}

export const NodeWidget = memo(function NodeWidget({ node, definition, title, placed, linked, fault }: Props) {
  const { editor, api } = useApp();
  const { entry, control, y, height } = placed;
  const { input } = entry;
  const { values } = widgetsOf(node, definition);
  const lastUsed = useDocument((state) => state.lastUsed.get(controlKey(node.id, input.name)));
  const refused = useRun(
    (state) => state.problems.find((problem) => problem.node === node.id && problem.input === input.name)?.message,
  );
  const wrong = refused ?? fault;
  const set = (key: string, value: Json): void => editor.do(setValue(node.id, key, value));
  const label = `${input.name}, ${title}`;
  const style = { top: y, height };

  if (entry.role === "upload") {
    const upload = (file: File): void => {
      api
        .uploadImage(file)
        .then((name) => set(input.name, name))
        .catch((error: unknown) => editor.toast("error", error instanceof Error ? error.message : String(error)));
    };
    return (
      <div className="widget" style={style} data-widget="upload">
        <UploadWidget label={`Upload for ${label}`} onFile={upload} />
      </div>
    );
  }
  if (linked.split("\u0000").includes(input.name)) {
    return (
      <div className="widget linked-widget" style={style}>
        <span className="widget-label">{input.name}</span>
        <span className="linked-note">from link</span>
      </div>
    );
  }
  const isText = input.widget === "text" && input.options["multiline"] === true;
  const names = ["widget", isText ? "multiline" : "", wrong === undefined ? "" : "wrong", control ? "has-control" : ""];
  return (
    <div className={names.filter(Boolean).join(" ")} style={style} data-widget={input.name} title={wrong}>
      <Widget
        input={input}
        label={label}
        value={values[entry.key] ?? null}
        onChange={(value) => set(entry.key, value)}
        onDone={() => editor.endGesture()}
      />
      {control && (
        <SeedControl
          label={label}
          value={values[entry.key] ?? null}
          control={values[control.key] ?? "randomize"}
          lastUsed={lastUsed}
          onControl={(next) => set(control.key, next)}
          onReuse={() => {
            editor.endGesture();
            if (lastUsed !== undefined) set(entry.key, lastUsed);
            set(control.key, "fixed");
          }}
        />
      )}
    </div>
  );
});
