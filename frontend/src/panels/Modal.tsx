/** A dialog over the editor. The browser's own <dialog> keeps the focus inside and closes on Escape. */
import { type ReactNode, useEffect, useRef } from "react";

interface Props {
  readonly label: string;
  readonly className?: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

export function Modal({ label, className = "", onClose, children }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog
      ref={dialog}
      aria-label={label}
      className={`modal ${className}`}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onPointerDown={(event) => {
        // A press on the backdrop has the dialog itself as its target, outside its box.
        const box = event.currentTarget.getBoundingClientRect();
        const isOutside =
          event.clientX < box.left ||
          event.clientX > box.right ||
          event.clientY < box.top ||
          event.clientY > box.bottom;
        if (event.target === event.currentTarget && isOutside) onClose();
      }}
    >
      {children}
    </dialog>
  );
}
