/** The list that a combo opens: above everything, not scaled with the canvas, with a search field when it is long. */
import { type KeyboardEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { createPortal } from "react-dom";
import type { Json } from "../graph/json.ts";
import { search } from "./choices.ts";

const SEARCHABLE_FROM = 8;
const HEIGHT = 320;
/** Of each choice, in pixels; popups.css has it too. Only those in sight are made. */
const ROW = 27;
const AROUND = 6;

interface Props {
  readonly anchor: HTMLElement;
  readonly label: string;
  readonly choices: readonly Json[];
  readonly chosen: Json;
  readonly onChoose: (choice: Json) => void;
  readonly onClose: () => void;
}

export function ChoiceList({ anchor, label, choices, chosen, onChoose, onClose }: Props) {
  const [query, setQuery] = useState("");
  const found = useMemo(() => search(choices, query, String), [choices, query]);
  const [active, setActive] = useState(() => Math.max(0, choices.indexOf(chosen)));
  const root = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const hasSearch = choices.length >= SEARCHABLE_FROM;
  const [place] = useState(() => placeUnder(anchor));

  useLayoutEffect(() => {
    const field = root.current?.querySelector<HTMLElement>("input, [role=listbox]");
    field?.focus({ preventScroll: true });
  }, []);
  const [scrolled, setScrolled] = useState(0);
  useLayoutEffect(() => {
    const element = list.current;
    if (!element) return;
    const [top, bottom] = [active * ROW, (active + 1) * ROW];
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + element.clientHeight) element.scrollTop = bottom - element.clientHeight;
    setScrolled(element.scrollTop);
  }, [active, found]);
  const first = Math.max(0, Math.floor(scrolled / ROW) - AROUND);
  const shown = found.slice(first, first + Math.ceil(HEIGHT / ROW) + 2 * AROUND);
  useEffect(() => {
    const outside = (event: PointerEvent): void => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) onClose();
    };
    window.addEventListener("pointerdown", outside, true);
    return () => window.removeEventListener("pointerdown", outside, true);
  }, [onClose]);

  const onKeyDown = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const last = found.length - 1;
    const moves: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      Home: 0,
      End: last,
      PageDown: active + 8,
      PageUp: active - 8,
    };
    const next = moves[event.key];
    if (next !== undefined) {
      event.preventDefault();
      setActive(Math.min(last, Math.max(0, next)));
    } else if (event.key === "Enter") {
      event.preventDefault();
      const choice = found[active];
      if (choice !== undefined) onChoose(choice);
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      onClose();
    }
  };

  return createPortal(
    <div ref={root} className="popup choices" style={place} onKeyDown={onKeyDown} data-popup>
      {hasSearch && (
        <input
          className="field"
          type="search"
          aria-label={`Search ${label}`}
          placeholder="Search…"
          value={query}
          onChange={(event) => {
            setQuery(event.currentTarget.value);
            setActive(0);
          }}
        />
      )}
      <div
        ref={list}
        id="choices"
        role="listbox"
        aria-label={label}
        tabIndex={-1}
        className="choice-list"
        onScroll={(event) => setScrolled(event.currentTarget.scrollTop)}
      >
        <div className="choice-rows" style={{ height: found.length * ROW }}>
          {shown.map((choice, offset) => {
            const index = first + offset;
            return (
              <div
                key={String(choice)}
                role="option"
                tabIndex={-1}
                aria-selected={choice === chosen}
                aria-setsize={found.length}
                aria-posinset={index + 1}
                className={index === active ? "choice active" : "choice"}
                style={{ top: index * ROW }}
                title={String(choice)}
                onPointerEnter={() => setActive(index)}
                onClick={() => onChoose(choice)}
                onKeyDown={onKeyDown}
              >
                <Named text={String(choice)} />
              </div>
            );
          })}
        </div>
        {found.length === 0 && (
          <p className="empty">{choices.length === 0 ? "The server offers no choice here." : "Nothing matches."}</p>
        )}
      </div>
    </div>,
    document.body,
  );
}

/** The folder of a file stands back. */
function Named({ text }: { readonly text: string }) {
  const cut = text.lastIndexOf("/") + 1;
  return (
    <>
      {cut > 0 && <span className="choice-folder">{text.slice(0, cut)}</span>}
      {text.slice(cut)}
    </>
  );
}

/** Below the anchor, or above it where there is more room. */
function placeUnder(anchor: HTMLElement): {
  left: number;
  minWidth: number;
  maxHeight: number;
  top?: number;
  bottom?: number;
} {
  const { left, right, top, bottom } = anchor.getBoundingClientRect();
  const width = Math.max(220, right - left);
  const below = window.innerHeight - bottom - 12;
  const x = Math.max(8, Math.min(left, window.innerWidth - width - 8));
  const base = { left: x, minWidth: width };
  if (below >= Math.min(HEIGHT, 200) || below >= top)
    return { ...base, top: bottom + 4, maxHeight: Math.min(HEIGHT, below) };
  return { ...base, bottom: window.innerHeight - top + 4, maxHeight: Math.min(HEIGHT, top - 12) };
}
