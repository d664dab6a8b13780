/** Where the time of the last run went: each node with how long it took, the longest first. Loaded when it is opened. */
import { useApp, useDocument, useRun } from "../app.ts";
import { duration } from "../canvas/NodeTitle.tsx";
import { nodeId } from "../graph/document.ts";
import { Modal } from "./Modal.tsx";

export default function RunProfile({ onClose }: { readonly onClose: () => void }) {
  const { editor, view } = useApp();
  const runs = useRun((state) => state.nodes);
  const nodes = useDocument((state) => state.history.document.nodes);
  const rows = Object.entries(runs)
    .flatMap(([key, run]) => {
      const node = nodes[nodeId(key)];
      return node && (run.state === "done" || run.state === "cached") ? [{ node, run }] : [];
    })
    .toSorted((a, b) => (b.run.ms ?? 0) - (a.run.ms ?? 0));
  const total = rows.reduce((sum, { run }) => sum + (run.ms ?? 0), 0);
  return (
    <Modal label="Run profile" onClose={onClose}>
      <h2>Where the time went</h2>
      {rows.length === 0 ? (
        <p className="empty">Nothing was run since this workflow was opened.</p>
      ) : (
        <table className="profile">
          <tbody>
            {rows.map(({ node, run }) => (
              <tr key={node.id} data-node={node.id}>
                <td>
                  <button
                    type="button"
                    className="text-button"
                    onClick={() => {
                      onClose();
                      editor.select([node.id]);
                      view.reveal(node.id);
                    }}
                  >
                    {node.title ?? editor.definitionOf(node)?.displayName ?? node.type}
                  </button>
                </td>
                <td className="profile-time">{run.state === "cached" ? "cached" : duration(run.ms ?? 0)}</td>
                <td className="profile-share">
                  <progress max={Math.max(1, total)} value={run.ms ?? 0} aria-label="Share of the run" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Modal>
  );
}
