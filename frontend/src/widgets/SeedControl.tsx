/** Beside a seed: what it does at the next run, and the way back to the one that was used last. */
import type { Json } from "../graph/json.ts";
import { CONTROLS } from "../graph/widgets.ts";
import { DiceIcon, DownIcon, LockIcon, UndoIcon, UpIcon } from "../panels/icons.tsx";

const MEANINGS = {
  fixed: { icon: LockIcon, name: "Locked", text: "Locked: every run uses this value" },
  increment: { icon: UpIcon, name: "Count up", text: "Count up: each run uses the next value" },
  decrement: { icon: DownIcon, name: "Count down", text: "Count down: each run uses the value before" },
  randomize: {
    icon: DiceIcon,
    name: "New seed each run",
    text: "New seed each run: it is drawn and shown as it is used",
  },
} as const;

interface Props {
  readonly label: string;
  readonly value: Json;
  readonly control: Json;
  readonly lastUsed: Json | undefined;
  readonly onControl: (control: Json) => void;
  readonly onReuse: () => void;
}

export function SeedControl({ label, value, control, lastUsed, onControl, onReuse }: Props) {
  const current = CONTROLS.find((name) => name === control) ?? "randomize";
  const { icon: Icon, text } = MEANINGS[current];
  const canReuse = lastUsed !== undefined && (lastUsed !== value || current !== "fixed");
  return (
    <span className="seed-control">
      {canReuse && (
        <button
          type="button"
          className="icon-button"
          title={`Keep the value of the last run: ${String(lastUsed)}`}
          aria-label={`Keep last used ${label} ${String(lastUsed)}`}
          onClick={onReuse}
        >
          <UndoIcon />
        </button>
      )}
      <span className="seed-mode" title={text}>
        <Icon />
        <select
          aria-label={`${label}: at each run`}
          value={current}
          onChange={(event) => onControl(event.currentTarget.value)}
        >
          {CONTROLS.map((name) => (
            <option key={name} value={name}>
              {MEANINGS[name].name}
            </option>
          ))}
        </select>
      </span>
    </span>
  );
}
