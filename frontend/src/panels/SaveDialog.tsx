/** Saving under a name, on the server. Replacing another workflow has to be said. */
import { useState } from "react";
import { useApp, useDocument } from "../app.ts";
import { pathOf } from "../store/file_names.ts";
import { Modal } from "./Modal.tsx";

export function SaveDialog({ onClose }: { readonly onClose: () => void }) {
  const { saving } = useApp();
  const stored = useDocument((state) => state.stored);
  const title = useDocument((state) => state.name);
  const current = stored?.replace(/\.json$/, "") ?? title;
  const [name, setName] = useState(current);
  const [isTaken, setTaken] = useState(false);
  const path = pathOf(name);
  const save = async (): Promise<void> => {
    if (path === null) return;
    const result = await saving.store(path, isTaken ? "anything" : "nothing");
    if (result === "stored") onClose();
    if (result === "taken") setTaken(true);
  };
  return (
    <Modal label="Save the workflow" className="small" onClose={onClose}>
      <h2>Save the workflow</h2>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <label>
          <span>Name</span>
          <input
            className="field"
            value={name}
            aria-label="Name"
            onFocus={(event) => event.currentTarget.select()}
            onChange={(event) => {
              setName(event.currentTarget.value);
              setTaken(false);
            }}
          />
        </label>
        <p className="hint">A slash makes a folder: “portraits/lighthouse”.</p>
        {isTaken && <p className="warning">“{path?.replace(/\.json$/, "")}” exists already.</p>}
        <div className="dialog-buttons">
          <button
            type="button"
            className="plain-button"
            onClick={() => {
              saving.downloadWorkflow();
              onClose();
            }}
          >
            Download instead
          </button>
          <button type="submit" className="primary-button" disabled={path === null}>
            {isTaken ? "Replace it" : "Save on the server"}
          </button>
        </div>
      </form>
    </Modal>
  );
}
