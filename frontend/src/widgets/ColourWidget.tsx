/** A colour: as "#rrggbb", or as a number where the input is an integer. */
import type { Json } from "../graph/json.ts";
import type { WidgetProps } from "./widget.ts";

export function ColourWidget({ input, label, value, onChange, onDone }: WidgetProps) {
  const isNumber = input.widget === "integer";
  const colour = colourOf(value);
  return (
    <>
      <span className="widget-label">{input.name.split(".").at(-1)}</span>
      <label className="colour">
        <span>{colour}</span>
        <input
          type="color"
          aria-label={label}
          value={colour}
          onChange={({ currentTarget }) =>
            onChange(isNumber ? Number.parseInt(currentTarget.value.slice(1), 16) : currentTarget.value)
          }
          onBlur={onDone}
        />
      </label>
    </>
  );
}

export function colourOf(value: Json): string {
  if (typeof value === "number" && value >= 0) return `#${Math.min(0xffffff, value).toString(16).padStart(6, "0")}`;
  return typeof value === "string" && /^#[0-9a-f]{6}$/i.test(value) ? value.toLowerCase() : "#000000";
}
