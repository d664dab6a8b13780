/** Colours for nodes and groups, in a row of a menu. */

const COLOURS = [
  ["red", "#b5484b"],
  ["orange", "#b87333"],
  ["yellow", "#a8952f"],
  ["green", "#4a8a52"],
  ["teal", "#33868a"],
  ["blue", "#4668b0"],
  ["purple", "#7a55b0"],
  ["grey", "#73777f"],
] as const;

export function ColourRow({ onColour }: { readonly onColour: (colour: string | null) => void }) {
  return (
    <div className="colour-row" role="group" aria-label="Colour">
      <button type="button" className="swatch none" aria-label="No colour" onClick={() => onColour(null)} />
      {COLOURS.map(([name, colour]) => (
        <button
          key={name}
          type="button"
          className="swatch"
          aria-label={`Colour ${name}`}
          style={{ background: colour }}
          onClick={() => onColour(colour)}
        />
      ))}
    </div>
  );
}
