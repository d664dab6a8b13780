/** Two pictures one above the other; a slider says how much of the first is seen. */
import { useState } from "react";

interface Props {
  readonly first: { readonly url: string; readonly name: string };
  readonly second: { readonly url: string; readonly name: string };
}

export function ComparePictures({ first, second }: Props) {
  const [part, setPart] = useState(50);
  return (
    <div className="compare">
      <div className="compare-pictures">
        <img src={second.url} alt={second.name} draggable={false} />
        <img
          src={first.url}
          alt={first.name}
          draggable={false}
          style={{ clipPath: `inset(0 ${100 - part}% 0 0)` }}
          data-part={part}
        />
        <i className="compare-edge" style={{ left: `${part}%` }} aria-hidden="true" />
      </div>
      <input
        type="range"
        min={0}
        max={100}
        value={part}
        aria-label={`How much of ${first.name} is seen above ${second.name}`}
        onChange={(event) => setPart(event.currentTarget.valueAsNumber)}
      />
    </div>
  );
}
