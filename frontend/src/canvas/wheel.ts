/** What a turn of the wheel means over the canvas. */

/** The factor to zoom by. A pinch on a trackpad comes as a wheel with Ctrl and small steps. */
export function wheelFactor({
  deltaY,
  deltaMode,
  ctrlKey,
}: Pick<WheelEvent, "deltaY" | "deltaMode" | "ctrlKey">): number {
  const pixels = deltaMode === 1 ? deltaY * 33 : deltaMode === 2 ? deltaY * 400 : deltaY;
  const bounded = Math.max(-240, Math.min(240, pixels));
  return Math.exp(-bounded * (ctrlKey && Math.abs(bounded) < 50 ? 0.01 : 0.0013));
}

/** Whether the wheel belongs to a field below it: one that has the focus, or shows text, and can scroll that way. */
export function scrollsItself(event: WheelEvent): boolean {
  const field = event.target instanceof Element ? event.target.closest<HTMLElement>("textarea, [data-scrolls]") : null;
  if (!field || (field.matches("textarea") && field !== document.activeElement)) return false;
  const room = event.deltaY > 0 ? field.scrollHeight - field.clientHeight - field.scrollTop : field.scrollTop;
  return field.scrollHeight > field.clientHeight && room > 0.5;
}
