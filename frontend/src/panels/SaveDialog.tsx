/** Saving under a name, on the server. Replacing another workflow has to be said. */
import { useState } from "react";
import { useApp, useDocument } from "../app.ts";
import { Modal } from "./Modal.tsx";

export function SaveDialog({ onClose }: { readonly onClose: () => void }) {
  const { files } = useApp();
  const current = useDocument((state) => state.name);
  const [name, setName] = useState(current);
  const [isTaken, setTaken] = useState(false);
  const clean = name.trim().replace(/\.json$/i, "");
  const isValid =
    clean !== "" && !clean.split("/").some((part) => part === ".." || part === "" || part.startsWith("."));
  const save = async (overwrite: boolean): Promise<void> => {
    if (!isValid) return;
    if (await files.store(`${clean}.json`, overwrite)) onClose();
    else setTaken(true);
  };
  return (
    <Modal label="Save the workflow" className="small" onClose={onClose}>
      <h2>Save the workflow</h2>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          void save(isTaken);
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
        {isTaken && <p className="warning">“{clean}” exists already.</p>}
        <div className="dialog-buttons">
          <button
            type="button"
            className="plain-button"
            onClick={() => {
              files.downloadWorkflow();
              onClose();
            }}
          >
            Download instead
          </button>
          <button type="submit" className="primary-button" disabled={!isValid}>
            {isTaken ? "Replace it" : "Save on the server"}
          </button>
        </div>
      </form>
    </Modal>
  );
}
