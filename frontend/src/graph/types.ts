/** When an output's type may flow into an input. Types are the words of /object_info; `*` is any. */

/** The alternatives of a type: it may be a comma-separated list. */
export function alternatives(type: string): string[] {
  return type
    .split(",")
    .map((part) => part.trim().toUpperCase())
    .filter((part) => part !== "");
}

export function isAny(type: string): boolean {
  return type === "" || type === "*" || type.startsWith("COMFY_MATCHTYPE");
}

export function typesFit(output: string, input: string): boolean {
  if (isAny(output) || isAny(input)) return true;
  const accepted = new Set(alternatives(input));
  return alternatives(output).some((type) => type === "*" || accepted.has(type) || accepted.has("*"));
}
