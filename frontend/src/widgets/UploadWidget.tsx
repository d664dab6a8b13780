/** A button that uploads a picture into the server's input folder and chooses it. Dropping on the node does the same. */
import { useRef } from "react";
import { UploadIcon } from "../panels/icons.tsx";

export function UploadWidget({ label, onFile }: { readonly label: string; readonly onFile: (file: File) => void }) {
  const input = useRef<HTMLInputElement>(null);
  return (
    <>
      <button type="button" className="upload" onClick={() => input.current?.click()}>
        <UploadIcon /> Choose a picture…
      </button>
      <input
        ref={input}
        type="file"
        accept="image/*"
        hidden
        aria-label={label}
        onChange={(event) => {
          const file = event.currentTarget.files?.[0];
          event.currentTarget.value = "";
          if (file) onFile(file);
        }}
      />
    </>
  );
}
