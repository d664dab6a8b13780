/** Yes or no. */
import { asString } from "../graph/json.ts";
import type { WidgetProps } from "./widget.ts";

export function ToggleWidget({ input, label, value, onChange, onDone }: WidgetProps) {
  const isOn = value === true;
  const words = isOn ? (asString(input.options["label_on"]) ?? "on") : (asString(input.options["label_off"]) ?? "off");
  return (
    <>
      <span className="widget-label">{input.name.split(".").at(-1)}</span>
      <button
        type="button"
        className="toggle"
        role="switch"
        aria-checked={isOn}
        aria-label={label}
        onClick={() => {
          onChange(!isOn);
          onDone();
        }}
      >
        <span className="toggle-words">{words}</span>
        <span className="toggle-track" />
      </button>
    </>
  );
}
