/** Names of workflows, of the paths and files that they come from. */

/** What a workflow is called that was opened from this file or path. */
export function baseName(path: string): string {
  return (path.split("/").at(-1) ?? path).replace(
    /\.(json|png|webp|mp4|m4v|mov|webm|mkv|latent|safetensors|txt)$/i,
    "",
  );
}

/** The path under which a typed name is stored; null where it names none. */
export function pathOf(name: string): string | null {
  const clean = name.trim().replace(/\.json$/i, "");
  const parts = clean.split("/").map((part) => part.trim());
  return parts.some((part) => part === "" || part.startsWith(".")) ? null : `${parts.join("/")}.json`;
}
