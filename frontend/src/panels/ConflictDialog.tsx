/** The file on the server is not the one that this workflow was opened from: nothing is overwritten unasked. */
import { useApp, useDocument } from "../app.ts";
import { Modal } from "./Modal.tsx";

export function ConflictDialog({ onClose }: { readonly onClose: () => void }) {
  const { editor, files, saving } = useApp();
  const name = useDocument((state) => state.name);
  const stored = useDocument((state) => state.stored);
  if (stored === null) return null;
  return (
    <Modal label="Changed on the server" className="small" onClose={onClose}>
      <h2>“{name}” was changed elsewhere</h2>
      <p className="hint">
        Since it was opened here, the file on the server was changed, moved or deleted, by another window or another
        program. Your work is safe in this browser.
      </p>
      <div className="choice-buttons">
        <button type="button" className="primary-button" onClick={() => editor.ui.setState({ dialog: "save" })}>
          Save under another name…
        </button>
        <button
          type="button"
          className="plain-button"
          onClick={() => {
            onClose();
            void files.openTheirs(stored);
          }}
        >
          Open the server’s in another tab
        </button>
        <button
          type="button"
          className="plain-button danger"
          onClick={() => {
            onClose();
            void saving.store(stored, "anything");
          }}
        >
          Replace the server’s with mine
        </button>
      </div>
    </Modal>
  );
}
