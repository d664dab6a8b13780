/** A number: type it, step it with the arrows, or slide its label. Where the definition asks for one, with a slider. */
import { type PointerEvent, useRef, useState } from "react";
import { asNumeric, clampTo, type Numeric, parseNumber, rangeOf, showNumber, slideOf, stepBy } from "./numbers.ts";
import type { WidgetProps } from "./widget.ts";

const PIXELS_A_STEP = 6;

export function NumberWidget({ input, label, value, onChange, onDone }: WidgetProps) {
  const range = rangeOf(input);
  const ends = slideOf(input);
  const number = asNumeric(value) ?? 0;
  const [typed, setTyped] = useState<string | null>(null);
  const slide = useRef<{ readonly x: number; readonly from: Numeric } | null>(null);
  const commit = (): void => {
    const parsed = typed === null ? null : parseNumber(typed);
    setTyped(null);
    if (parsed !== null && clampTo(range, parsed) !== number) onChange(clampTo(range, parsed));
    onDone();
  };
  const step = (steps: number): void => {
    const base = typed === null ? number : (parseNumber(typed) ?? number);
    setTyped(null);
    onChange(stepBy(range, base, steps));
  };
  const slideTo = (event: PointerEvent): void => {
    if (slide.current)
      onChange(stepBy(range, slide.current.from, Math.round((event.clientX - slide.current.x) / PIXELS_A_STEP)));
  };
  return (
    <>
      <span
        className="widget-label slides"
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          slide.current = { x: event.clientX, from: number };
        }}
        onPointerMove={slideTo}
        onPointerUp={() => {
          slide.current = null;
          onDone();
        }}
      >
        {input.name.split(".").at(-1)}
      </span>
      {ends && (
        <input
          className="widget-slider"
          type="range"
          aria-label={`Slider of ${label}`}
          min={ends.min}
          max={ends.max}
          step={range.step}
          value={Number(number)}
          onChange={(event) => onChange(clampTo(range, event.currentTarget.valueAsNumber))}
          onPointerUp={onDone}
          onBlur={onDone}
        />
      )}
      <input
        className={ends ? "widget-number beside-slider" : "widget-number"}
        type="text"
        inputMode={range.isInteger ? "numeric" : "decimal"}
        role="spinbutton"
        aria-label={label}
        aria-valuenow={Number(number)}
        aria-valuetext={String(number)}
        aria-valuemin={boundOf(range.min)}
        aria-valuemax={boundOf(range.max)}
        value={typed ?? showNumber(range, number)}
        onFocus={(event) => event.currentTarget.select()}
        onChange={(event) => setTyped(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") {
            commit();
            if (!event.ctrlKey && !event.metaKey) event.currentTarget.blur();
          } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
            step((event.key === "ArrowUp" ? 1 : -1) * (event.shiftKey ? 10 : 1));
            event.preventDefault();
          }
        }}
      />
      {!ends && (
        <span className="steppers">
          <button type="button" tabIndex={-1} aria-label={`Less ${label}`} onClick={() => step(-1)} onBlur={onDone}>
            −
          </button>
          <button type="button" tabIndex={-1} aria-label={`More ${label}`} onClick={() => step(1)} onBlur={onDone}>
            +
          </button>
        </span>
      )}
    </>
  );
}

function boundOf(bound: Numeric): number | undefined {
  return Number.isFinite(Number(bound)) ? Number(bound) : undefined;
}
