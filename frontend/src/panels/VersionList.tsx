/** What this browser kept of the open workflow at every save and run, and what was closed without being saved. */
import { useEffect, useState } from "react";
import { useApp, useDocument } from "../app.ts";
import { isArray } from "../graph/json.ts";
import type { Version } from "../store/versions.ts";

const WORDS = { save: "saved", run: "run", close: "closed", restore: "before a restore" } as const;

export function VersionList() {
  const { files, saving } = useApp();
  const tab = useDocument((state) => state.tab);
  const stored = useDocument((state) => state.stored);
  const [versions, setVersions] = useState<readonly Version[]>([]);
  const [closed, setClosed] = useState<readonly Version[]>([]);
  // A save and a run leave a version, which is written a moment later.
  useEffect(() => {
    let isShown = true;
    const load = (): void => {
      Promise.all([saving.versions.of(tab, stored), saving.versions.closed()]).then(
        ([own, others]) => {
          if (!isShown) return;
          setVersions(own);
          setClosed(others);
        },
        // A browser that keeps nothing has no versions.
        () => {},
      );
    };
    load();
    const stop = saving.versions.watch(load);
    return () => {
      isShown = false;
      stop();
    };
  }, [saving, tab, stored]);
  return (
    <div className="outline-tree" data-scrolls>
      <h3>This workflow</h3>
      <ul className="plain-list" aria-label="Versions of this workflow">
        {versions.map((version) => (
          <li key={version.id} className="version">
            <Words version={version} />
            <button type="button" className="text-button" onClick={() => void saving.restoreVersion(version)}>
              Restore
            </button>
            <button type="button" className="text-button" onClick={() => void files.openVersion(version)}>
              Open beside
            </button>
          </li>
        ))}
        {versions.length === 0 && <li className="empty">Every save and every run leaves a version here.</li>}
      </ul>
      {closed.length > 0 && <h3>Recently closed</h3>}
      <ul className="plain-list" aria-label="Recently closed">
        {closed.map((version) => (
          <li key={version.id} className="version">
            <Words version={version} />
            <button type="button" className="text-button" onClick={() => void files.openVersion(version)}>
              Open
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Words({ version: { at, name, reason, workflow } }: { readonly version: Version }) {
  const count = isArray(workflow["nodes"]) ? workflow["nodes"].length : 0;
  const time = new Date(at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
  return (
    <span className="version-words">
      <strong>{reason === "close" ? name : time}</strong>
      <span>
        {reason === "close" ? time : WORDS[reason]} · {count} {count === 1 ? "node" : "nodes"}
      </span>
    </span>
  );
}
