/** Workflows that are not open: those stored on the server, the templates, and what this browser kept of before. */
import { useState } from "react";
import { useApp } from "../app.ts";
import { TEMPLATES } from "../templates.ts";
import { CloseIcon } from "./icons.tsx";
import { StoredTree } from "./StoredTree.tsx";
import { VersionList } from "./VersionList.tsx";

const PARTS = [
  ["saved", "Saved"],
  ["templates", "Templates"],
  ["versions", "Versions"],
] as const;

export default function WorkflowsPanel() {
  const { editor } = useApp();
  const [part, setPart] = useState<(typeof PARTS)[number][0]>("saved");
  return (
    <nav className="outline library" aria-label="Workflows">
      <header>
        <h2>Workflows</h2>
        <button
          type="button"
          className="tool"
          aria-label="Close the workflows"
          onClick={() => editor.ui.setState({ side: null })}
        >
          <CloseIcon />
        </button>
      </header>
      <div className="segments" role="group" aria-label="Which workflows">
        {PARTS.map(([id, words]) => (
          <button key={id} type="button" aria-pressed={part === id} onClick={() => setPart(id)}>
            {words}
          </button>
        ))}
      </div>
      {part === "saved" && <StoredTree />}
      {part === "templates" && <Templates />}
      {part === "versions" && <VersionList />}
    </nav>
  );
}

function Templates() {
  const { files } = useApp();
  return (
    <ul className="outline-tree plain-list" data-scrolls>
      {TEMPLATES.map((template) => (
        <li key={template.name}>
          <button type="button" className="tree-item" onClick={() => void files.openTemplate(template)}>
            <span className="tree-name">{template.name}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
