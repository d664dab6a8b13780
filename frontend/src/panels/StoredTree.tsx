/** The workflows on the server, in their folders: opened by a click, renamed, moved and deleted by their buttons. */
import { type FormEvent, type ReactNode, useCallback, useEffect, useMemo, useState } from "react";
import { useApp, useDocument, useUi } from "../app.ts";
import type { StoredFile } from "../protocol/api.ts";
import { baseName, pathOf } from "../store/file_names.ts";
import { search } from "../widgets/choices.ts";
import { DeleteIcon, FolderIcon, RenameIcon } from "./icons.tsx";
import { moveInTree } from "./tree_keys.ts";

interface Folder {
  readonly name: string;
  readonly path: string;
  readonly folders: readonly Folder[];
  readonly files: readonly StoredFile[];
}

export function StoredTree() {
  const { api, editor } = useApp();
  const stored = useDocument((state) => state.stored);
  const version = useDocument((state) => state.storedVersion);
  const connection = useUi((state) => state.connection);
  const [files, setFiles] = useState<readonly StoredFile[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  const [query, setQuery] = useState("");
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const load = useCallback(
    () =>
      api.listWorkflows().then(
        (list) => {
          setFiles(list);
          setFailure(null);
        },
        (error: unknown) => setFailure(error instanceof Error ? error.message : String(error)),
      ),
    [api],
  );
  // A save of our own, and a server that is back, may have changed what there is.
  useEffect(() => void load(), [load, stored, version, connection]);
  const tree = useMemo(() => folderOf("", "", files ?? []), [files]);
  const act = (work: Promise<unknown>): void => {
    work
      .catch((error: unknown) => editor.toast("error", error instanceof Error ? error.message : String(error)))
      .finally(load);
  };
  const toggle = (path: string): void =>
    setClosed(new Set(closed.has(path) ? [...closed].filter((known) => known !== path) : [...closed, path]));
  const list = ({ folders, files }: Folder, level: number): ReactNode[] => [
    ...folders.flatMap((folder) => [
      <div
        key={folder.path}
        role="treeitem"
        aria-level={level}
        aria-expanded={!closed.has(folder.path)}
        aria-selected={false}
        tabIndex={-1}
        className="tree-item folder"
        style={{ paddingLeft: 8 + (level - 1) * 14 }}
        onClick={() => toggle(folder.path)}
        onKeyDown={() => {}}
      >
        <i className="twist" aria-hidden="true" />
        <FolderIcon />
        <span className="tree-name">{folder.name}</span>
      </div>,
      ...(closed.has(folder.path) ? [] : list(folder, level + 1)),
    ]),
    ...files.map((file) => <FileItem key={file.path} file={file} level={level} act={act} />),
  ];
  const found = query.trim() === "" ? null : search(files ?? [], query, (file) => file.path);
  return (
    <>
      <input
        className="field"
        type="search"
        placeholder="Search workflows…"
        aria-label="Search the saved workflows"
        value={query}
        onChange={(event) => setQuery(event.currentTarget.value)}
      />
      <div
        className="outline-tree"
        role="tree"
        aria-label="Saved workflows"
        tabIndex={0}
        data-scrolls
        onKeyDown={moveInTree}
      >
        {found
          ? found.map((file) => <FileItem key={file.path} file={file} level={1} act={act} isWhole />)
          : list(tree, 1)}
        {failure !== null && <p className="empty">{failure}</p>}
        {files?.length === 0 && <p className="empty">Nothing is stored yet. Ctrl+S stores what is open.</p>}
      </div>
    </>
  );
}

interface ItemProps {
  readonly file: StoredFile;
  readonly level: number;
  /** Whether its folders are part of the name that is shown. */
  readonly isWhole?: boolean;
  readonly act: (work: Promise<unknown>) => void;
}

function FileItem({ file, level, isWhole = false, act }: ItemProps) {
  const { files, saving } = useApp();
  const [state, setState] = useState<"still" | "renaming" | "deleting">("still");
  const isOpen = useDocument((open) => open.stored === file.path);
  const name = isWhole ? file.path.replace(/\.json$/, "") : baseName(file.path);
  if (state === "renaming") {
    return (
      <RenameForm
        path={file.path}
        onDone={(target) => {
          setState("still");
          if (target !== null && target !== file.path) act(saving.rename(file.path, target));
        }}
      />
    );
  }
  if (state === "deleting") {
    return (
      <div className="tree-item asking" role="alertdialog" aria-label={`Delete ${name}`}>
        <span className="tree-name">Delete “{name}”?</span>
        <button type="button" className="text-button danger" onClick={() => act(saving.delete(file.path))}>
          Delete
        </button>
        <button type="button" className="text-button" onClick={() => setState("still")}>
          Keep
        </button>
      </div>
    );
  }
  return (
    <div
      role="treeitem"
      aria-level={level}
      aria-selected={isOpen}
      aria-label={name}
      tabIndex={-1}
      className={isOpen ? "tree-item selected" : "tree-item"}
      style={{ paddingLeft: 18 + (level - 1) * 14 }}
      title={file.path}
      onClick={() => void files.openStored(file.path)}
      onKeyDown={(event) => {
        if (event.key === "F2") setState("renaming");
        if (event.key === "Delete") setState("deleting");
      }}
    >
      <span className="tree-name">{name}</span>
      <button
        type="button"
        tabIndex={-1}
        className="star"
        aria-label={`Rename ${name}`}
        title="Rename or move (F2)"
        onClick={(event) => {
          event.stopPropagation();
          setState("renaming");
        }}
      >
        <RenameIcon />
      </button>
      <button
        type="button"
        tabIndex={-1}
        className="star"
        aria-label={`Delete ${name}`}
        title="Delete (Del)"
        onClick={(event) => {
          event.stopPropagation();
          setState("deleting");
        }}
      >
        <DeleteIcon />
      </button>
    </div>
  );
}

function RenameForm({ path, onDone }: { readonly path: string; readonly onDone: (target: string | null) => void }) {
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const name = new FormData(event.currentTarget).get("name");
    onDone(typeof name === "string" ? pathOf(name) : null);
  };
  return (
    <form className="tree-item" onSubmit={submit}>
      <input
        className="field"
        name="name"
        aria-label="New name"
        ref={(element) => element?.focus()}
        defaultValue={path.replace(/\.json$/, "")}
        onBlur={() => onDone(null)}
        onKeyDown={(event) => {
          event.stopPropagation();
          if (event.key === "Escape") onDone(null);
        }}
      />
    </form>
  );
}

function folderOf(name: string, path: string, files: readonly StoredFile[]): Folder {
  const here: StoredFile[] = [];
  const deeper = new Map<string, StoredFile[]>();
  for (const file of files) {
    const [first = "", ...rest] = file.path.slice(path === "" ? 0 : path.length + 1).split("/");
    if (rest.length === 0) here.push(file);
    else deeper.set(first, [...(deeper.get(first) ?? []), file]);
  }
  const folders = [...deeper].map(([part, inside]) => folderOf(part, path === "" ? part : `${path}/${part}`, inside));
  const byName = (a: { readonly path: string }, b: { readonly path: string }): number => a.path.localeCompare(b.path);
  return { name, path, folders: folders.toSorted(byName), files: here.toSorted(byName) };
}
