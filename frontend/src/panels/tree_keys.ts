/** The keys of a tree: up and down go to its items, right and left open and close a folder, Enter does what a click does. */
import type { KeyboardEvent } from "react";

export function moveInTree(event: KeyboardEvent<HTMLElement>): void {
  const items = [...event.currentTarget.querySelectorAll<HTMLElement>("[role=treeitem]")];
  const index = items.findIndex((item) => item === document.activeElement);
  const current = items[index];
  const go = (to: number): void => items[Math.min(items.length - 1, Math.max(0, to))]?.focus();
  const expanded = current?.getAttribute("aria-expanded");
  const steps: { readonly [key: string]: () => void } = {
    ArrowDown: () => go(index + 1),
    ArrowUp: () => go(index - 1),
    Home: () => go(0),
    End: () => go(items.length - 1),
    ArrowRight: () => expanded === "false" && current?.click(),
    ArrowLeft: () => expanded === "true" && current?.click(),
    Enter: () => current?.click(),
    " ": () => current?.click(),
  };
  const step = steps[event.key];
  if (!step || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  event.stopPropagation();
  step();
}
