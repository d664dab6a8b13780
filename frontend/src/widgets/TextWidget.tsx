/** Text of one line or many. Undo inside the field is the browser's own. */
import { asString } from "../graph/json.ts";
import { weighted } from "./token_weight.ts";
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
        title="Ctrl and the arrows up and down change the weight of the word at the caret"
        onChange={(event) => onChange(event.currentTarget.value)}
        onKeyDown={(event) => {
          const steps = { ArrowUp: 1, ArrowDown: -1 }[event.key];
          if (steps === undefined || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          const field = event.currentTarget;
          const { selectionStart: start, selectionEnd: end } = field;
          const after = weighted({ text: field.value, start, end }, steps);
          // Through the browser, so that its own undo knows of it.
          field.select();
          document.execCommand("insertText", false, after.text);
          field.setSelectionRange(after.start, after.end);
        }}
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
