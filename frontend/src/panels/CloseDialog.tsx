/** Asks before a workflow with unsaved work is closed. Whatever is answered, a version of it is kept in this browser. */
import { useApp, useUi } from "../app.ts";
import { Modal } from "./Modal.tsx";

export function CloseDialog() {
  const { editor, saving, tabs } = useApp();
  const closing = useUi((state) => state.closing);
  const name = closing === null ? null : tabs.stateOf(closing)?.name;
  if (closing === null || name === undefined || name === null) return null;
  const stay = (): void => editor.ui.setState({ closing: null });
  const discard = async (): Promise<void> => {
    await saving.keepVersion("close", closing);
    stay();
    tabs.close(closing);
  };
  const save = async (): Promise<void> => {
    stay();
    tabs.activate(closing);
    if (await saving.save()) tabs.close(closing);
  };
  return (
    <Modal label="Close the workflow" className="small" onClose={stay}>
      <h2>Save “{name}”?</h2>
      <p className="hint">
        It holds work that is not saved. Closed without saving, it is still kept in this browser, under “Recently
        closed”.
      </p>
      <div className="dialog-buttons">
        <button type="button" className="plain-button" onClick={stay}>
          Cancel
        </button>
        <button type="button" className="plain-button" onClick={() => void discard()}>
          Close without saving
        </button>
        <button type="button" className="primary-button" onClick={() => void save()}>
          Save
        </button>
      </div>
    </Modal>
  );
}
