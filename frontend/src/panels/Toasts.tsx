/** Short notices. Errors stay longer and are announced at once. */
import { useApp, useUi } from "../app.ts";
import { CloseIcon } from "./icons.tsx";

export function Toasts() {
  const { editor } = useApp();
  const toasts = useUi((state) => state.toasts);
  return (
    <div className="toasts" role="region" aria-label="Notices">
      {toasts.map(({ id, kind, text }) => (
        <div key={id} className={`toast ${kind}`} role={kind === "error" ? "alert" : "status"}>
          <span>{text}</span>
          <button type="button" aria-label="Dismiss" onClick={() => editor.dismiss(id)}>
            <CloseIcon />
          </button>
        </div>
      ))}
    </div>
  );
}
