/** The widget for a kind of value. */
import { writeJson } from "../graph/json.ts";
import { ColourWidget } from "./ColourWidget.tsx";
import { MarkdownWidget } from "./MarkdownWidget.tsx";
import { NumberWidget } from "./NumberWidget.tsx";
import { ComboWidget } from "./ComboWidget.tsx";
import { TextWidget } from "./TextWidget.tsx";
import { ToggleWidget } from "./ToggleWidget.tsx";
import type { WidgetProps } from "./widget.ts";

export function Widget(props: WidgetProps) {
  const { input } = props;
  if (input.type === "COLOR" || (input.widget === "integer" && input.options["display"] === "color"))
    return <ColourWidget {...props} />;
  switch (input.widget) {
    case "integer":
    case "number":
      return <NumberWidget {...props} />;
    case "text":
      return input.options["markdown"] === true ? <MarkdownWidget {...props} /> : <TextWidget {...props} />;
    case "toggle":
      return <ToggleWidget {...props} />;
    case "combo":
    case "dynamic-combo":
      return <ComboWidget {...props} />;
    case "other":
    case null:
      return <Raw {...props} />;
  }
}

/** A kind that has no editor here is shown, and kept as it is. */
function Raw({ input, value }: WidgetProps) {
  return (
    <>
      <span className="widget-label">{input.name}</span>
      <code className="widget-raw">{writeJson(value)}</code>
    </>
  );
}
