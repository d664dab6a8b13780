/** The picture in a node: the live preview while it runs, then what it made, else the input file that it shows. */
import { useState } from "react";
import { useApp, useRun } from "../app.ts";
import type { GraphNode } from "../graph/document.ts";
import type { NodeDefinition } from "../graph/definitions.ts";
import { widgetsOf } from "../graph/widgets.ts";
import { ComparePictures } from "../panels/ComparePictures.tsx";
import type { Picture } from "../protocol/messages.ts";

interface Props {
  readonly node: GraphNode;
  readonly definition: NodeDefinition | undefined;
  readonly place: { readonly y: number; readonly height: number };
}

export function NodePicture({ node, definition, place }: Props) {
  const { api } = useApp();
  const isRunning = useRun((state) => state.nodes[node.id]?.state === "running");
  const preview = useRun((state) => state.previews[node.id]);
  const made = useRun((state) => state.pictures[node.id]);
  const version = useRun((state) => state.last?.promptId ?? "");
  const chosen = inputPicture(node, definition);
  const style = { top: place.y, height: place.height };
  if (preview !== undefined && (isRunning || !made)) {
    return (
      <figure className="picture" style={style}>
        <img className="preview" src={preview} alt="Live preview" draggable={false} />
        {isRunning && <span className="badge live">preview</span>}
      </figure>
    );
  }
  const first = made?.find(({ side }) => side === "a");
  const second = made?.find(({ side }) => side === "b");
  if (first && second) {
    const sideOf = (picture: Picture) => ({ name: picture.filename, url: api.pictureUrl(picture, version) });
    return (
      <figure className="picture" style={style} data-widget="compare">
        <ComparePictures first={sideOf(first)} second={sideOf(second)} />
      </figure>
    );
  }
  const pictures = made ?? (chosen ? [chosen] : []);
  return (
    <figure className={pictures.length > 1 ? "picture several" : "picture"} style={style}>
      {pictures.map((picture) => (
        <OnePicture
          key={`${picture.type}/${picture.subfolder}/${picture.filename}`}
          name={picture.filename}
          // Files in temp and input keep their names while their content changes.
          url={api.pictureUrl(picture, picture.type === "output" ? "" : version)}
        />
      ))}
    </figure>
  );
}

function OnePicture({ name, url }: { readonly name: string; readonly url: string }) {
  const [size, setSize] = useState<string | null>(null);
  const [isBroken, setBroken] = useState(false);
  if (isBroken) return <p className="empty">{name} could not be loaded.</p>;
  return (
    <div className="one-picture">
      <img
        src={url}
        alt={name}
        draggable={false}
        data-picture={name}
        onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) => setSize(`${naturalWidth} × ${naturalHeight}`)}
        onError={() => setBroken(true)}
      />
      <figcaption>
        <span>{size}</span>
        <a href={url} target="_blank" rel="noreferrer" title={`Open ${name} in a new tab`}>
          Open
        </a>
        <a href={url} download={name} title={`Download ${name}`}>
          Download
        </a>
      </figcaption>
    </div>
  );
}

/** The input file that an upload widget has chosen; its name may end in " [output]". */
function inputPicture(node: GraphNode, definition: NodeDefinition | undefined): Picture | null {
  const { entries, values } = widgetsOf(node, definition);
  const upload = entries.find((entry) => entry.role === "upload");
  const value = upload && values[upload.input.name];
  if (typeof value !== "string" || value === "") return null;
  const match = /^(?:(.*)\/)?([^/]*?)(?: \[(input|output|temp)\])?$/.exec(value);
  if (!match?.[2]) return null;
  return { filename: match[2], subfolder: match[1] ?? "", type: match[3] ?? "input" };
}
