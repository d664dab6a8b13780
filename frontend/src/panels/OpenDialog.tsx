/** Opening: from this computer, or one of the workflows stored on the server. */
import { useEffect, useMemo, useRef, useState } from "react";
import { useApp } from "../app.ts";
import type { StoredFile } from "../protocol/api.ts";
import { search } from "../widgets/choices.ts";
import { Modal } from "./Modal.tsx";
import { UploadIcon } from "./icons.tsx";

export function OpenDialog({ onClose }: { readonly onClose: () => void }) {
  const { api, files } = useApp();
  const [stored, setStored] = useState<StoredFile[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [query, setQuery] = useState("");
  const picker = useRef<HTMLInputElement>(null);
  useEffect(() => {
    api.listWorkflows().then(
      (list) => setStored(list.toSorted((a, b) => b.modified - a.modified)),
      (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
    );
  }, [api]);
  const found = useMemo(() => search(stored ?? [], query, (file) => file.path), [stored, query]);
  const open = async (path: string): Promise<void> => {
    if (await files.openStored(path)) onClose();
  };
  return (
    <Modal label="Open a workflow" onClose={onClose}>
      <h2>Open a workflow</h2>
      <button type="button" className="wide-button" onClick={() => picker.current?.click()}>
        <UploadIcon /> From this computer…
      </button>
      <p className="hint">
        A workflow or API prompt (.json), a picture, film or latent that carries one, or A1111&rsquo;s text. Dropping it
        on the canvas does the same.
      </p>
      <input
        ref={picker}
        type="file"
        hidden
        accept=".json,.png,.webp,.mp4,.mov,.m4v,.webm,.mkv,.latent,.safetensors,.txt"
        aria-label="Workflow file"
        data-testid="open-file"
        onChange={(event) => {
          const chosen = [...(event.currentTarget.files ?? [])];
          onClose();
          void files.openFiles(chosen);
        }}
      />
      <h3>On the server</h3>
      <input
        className="field"
        type="search"
        placeholder="Search…"
        aria-label="Search workflows"
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
      />
      <ul className="file-list" data-scrolls>
        {found.map((file) => (
          <li key={file.path}>
            <button type="button" onClick={() => void open(file.path)}>
              <span>{file.path.replace(/\.json$/, "")}</span>
              <time>{modified(file.modified)}</time>
            </button>
          </li>
        ))}
        {failure !== null && <li className="empty">{failure}</li>}
        {failure === null && stored === null && <li className="empty">Loading…</li>}
        {stored?.length === 0 && <li className="empty">No workflow is stored there yet. Ctrl+S stores this one.</li>}
      </ul>
    </Modal>
  );
}

/** Servers give seconds, some milliseconds. */
function modified(time: number): string {
  if (time <= 0) return "";
  return new Date(time < 1e11 ? time * 1000 : time).toLocaleString(undefined, {
    dateStyle: "medium",
    timeStyle: "short",
  });
}
