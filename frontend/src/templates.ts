/** The workflows that come with the editor: all of `workflows/`, each loaded when it is opened. */
import type { Json } from "./graph/json.ts";
import type { Template } from "./store/files.ts";

const FOUND = import.meta.glob<Json>(["../../workflows/*.json", "!../../workflows/*.api.json"], { import: "default" });

export const TEMPLATES: readonly Template[] = Object.entries(FOUND)
  .map(([path, load]) => ({ name: nameOf(path), load }))
  .toSorted((a, b) => a.name.localeCompare(b.name));

/** What a new user sees first. */
export const FIRST_TEMPLATE: Template = TEMPLATES.find(({ name }) => name === "Text to image") ?? {
  name: "Untitled",
  load: () => Promise.resolve({ nodes: [], links: [], version: 0.4 }),
};

/** "…/text_to_image.json" is “Text to image”. */
function nameOf(path: string): string {
  const words = (path.split("/").at(-1) ?? path).replace(/\.json$/, "").replaceAll("_", " ");
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
