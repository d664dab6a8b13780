/** Text of one line or many. Undo inside the field is the browser's own. */
import { asString } from "../graph/json.ts";
import type { WidgetProps } from "./widget.ts";

export function TextWidget({ input, label, value, onChange, onDone }: WidgetProps) {
  const text = asString(value) ?? "";
  const name = input.name.split(".").at(-1);
  if (input.options["multiline"] === true) {
    return (
      <textarea
        className="widget-text"
        aria-label={label}
        placeholder={asString(input.options["placeholder"]) ?? name}
        spellCheck={false}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
        onBlur={onDone}
      />
    );
  }
  return (
    <>
      <span className="widget-label">{name}</span>
      <input
        className="widget-line"
        type="text"
        aria-label={label}
        placeholder={asString(input.options["placeholder"]) ?? undefined}
        spellCheck={false}
        value={text}
        onChange={(event) => onChange(event.currentTarget.value)}
        onBlur={onDone}
      />
    </>
  );
}
