/** A button for an action of the registry: its name and shortcut come from there. */
import type { ReactNode } from "react";
import { useApp } from "../app.ts";
import { actionOf } from "../actions/registry.ts";

interface Props {
  readonly action: string;
  readonly children: ReactNode;
  readonly isDisabled?: boolean;
  readonly className?: string;
  readonly isPressed?: boolean;
}

export function ActionButton({ action: id, children, isDisabled = false, className = "tool", isPressed }: Props) {
  const app = useApp();
  const action = actionOf(id);
  const shortcut = action.shortcuts[0];
  return (
    <button
      type="button"
      className={className}
      data-action={id}
      disabled={isDisabled}
      aria-label={action.title}
      aria-pressed={isPressed}
      title={shortcut ? `${action.title} (${shortcut})` : action.title}
      onClick={() => action.run(app)}
    >
      {children}
    </button>
  );
}
