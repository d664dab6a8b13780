/** Zoom: the scale as it is, and the ways to change it. */
import { useEffect, useRef } from "react";
import { useApp } from "../app.ts";
import { ActionButton } from "./ActionButton.tsx";
import { FitIcon, MinusIcon, PlusIcon } from "./icons.tsx";

export function ZoomControls() {
  const { view } = useApp();
  const scale = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // Written directly, and only when it says something else: the view moves at every frame.
    let shown = 100;
    const show = ({ scale: value }: { readonly scale: number }): void => {
      const text = scale.current?.firstChild;
      const percent = Math.round(value * 100);
      if (!(text instanceof Text) || percent === shown) return;
      shown = percent;
      text.data = `${percent} %`;
    };
    return view.watchViewport(show);
  }, [view]);
  return (
    <div className="zoom" role="group" aria-label="Zoom">
      <ActionButton action="zoom-out">
        <MinusIcon />
      </ActionButton>
      <button
        ref={scale}
        type="button"
        className="tool zoom-scale"
        title="Zoom to 100 %"
        onClick={() => view.zoomBy(1 / view.viewport.scale)}
      >
        100 %
      </button>
      <ActionButton action="zoom-in">
        <PlusIcon />
      </ActionButton>
      <ActionButton action="fit-all">
        <FitIcon />
      </ActionButton>
    </div>
  );
}
