/** One of several choices. Long lists are searched by typing; a saved choice that no longer exists is shown as missing. */
import { useState } from "react";
import { optionKeys } from "../graph/dynamic.ts";
import { type Json, writeJson } from "../graph/json.ts";
import { ChoiceList } from "./ChoiceList.tsx";
import type { WidgetProps } from "./widget.ts";

export function ComboWidget({ input, label, value, onChange, onDone }: WidgetProps) {
  const [anchor, setAnchor] = useState<HTMLElement | null>(null);
  const choices: readonly Json[] = input.widget === "dynamic-combo" ? optionKeys(input) : (input.choices ?? []);
  const isMissing = !choices.includes(value) && !Array.isArray(value);
  const close = (): void => {
    setAnchor(null);
    anchor?.focus({ preventScroll: true });
  };
  const step = (by: number): void => {
    const next = choices[choices.indexOf(value) + by];
    if (next !== undefined) onChange(next);
  };
  return (
    <>
      <span className="widget-label">{input.name.split(".").at(-1)}</span>
      <button
        type="button"
        className={isMissing ? "combo missing" : "combo"}
        role="combobox"
        aria-label={label}
        aria-haspopup="listbox"
        aria-expanded={anchor !== null}
        aria-controls="choices"
        title={isMissing ? `${show(value) || "Nothing"} is not on this server. Choose another.` : show(value)}
        onClick={(event) => setAnchor(event.currentTarget)}
        onBlur={onDone}
        onKeyDown={(event) => {
          if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
          event.preventDefault();
          if (event.altKey) setAnchor(event.currentTarget);
          else step(event.key === "ArrowDown" ? 1 : -1);
        }}
      >
        <span className="combo-value">{show(value) || (choices.length === 0 ? "none available" : "choose…")}</span>
        {isMissing && <span className="badge missing-badge">missing</span>}
        <span className="chevron" aria-hidden="true" />
      </button>
      {anchor && (
        <ChoiceList
          anchor={anchor}
          label={label}
          choices={choices}
          chosen={value}
          onChoose={(choice) => {
            onChange(choice);
            close();
          }}
          onClose={close}
        />
      )}
    </>
  );
}

function show(value: Json): string {
  return typeof value === "string" ? value : writeJson(value);
}
