/** All pictures of the jobs that the server remembers: found, looked at, compared, taken. Loaded when it is opened. */
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";
import { useApp } from "../app.ts";
import { asString, isObject } from "../graph/json.ts";
import { type Job, picturesOf } from "../protocol/jobs.ts";
import type { Picture } from "../protocol/messages.ts";
import { search } from "../widgets/choices.ts";
import { ComparePictures } from "./ComparePictures.tsx";
import { Modal } from "./Modal.tsx";

interface Shown {
  readonly key: string;
  readonly picture: Picture;
  readonly job: Job;
  /** What it is found by: its name and the texts that it was made from. */
  readonly words: string;
}

export default function Gallery({ onClose }: { readonly onClose: () => void }) {
  const { queue } = useApp();
  const { jobs, isLoaded } = useStore(queue.state);
  const [query, setQuery] = useState("");
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [open, setOpen] = useState<string | null>(null);
  const all = useMemo(() => jobs.flatMap(picturesIn), [jobs]);
  const found = useMemo(() => search(all, query, ({ words }) => words), [all, query]);
  const pair = all.filter(({ key }) => chosen.includes(key));
  const [first, second] = pair;
  const at = found.findIndex(({ key }) => key === open);
  const looked = found[at];
  const step = (by: number): void => setOpen(found[(at + by + found.length) % found.length]?.key ?? null);
  const choose = (key: string): void =>
    setChosen(chosen.includes(key) ? chosen.filter((other) => other !== key) : [...chosen.slice(-1), key]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!looked || by === undefined || event.target instanceof HTMLInputElement) return;
    event.preventDefault();
    step(by);
  };
  return (
    <Modal label="Gallery" className="gallery" onClose={() => (open === null ? onClose() : setOpen(null))}>
      <div onKeyDown={onKeyDown}>
        <header className="gallery-head">
          <h2>Gallery</h2>
          <span className="count">{found.length}</span>
          <input
            className="field"
            type="search"
            aria-label="Find a picture"
            placeholder="Find by name or text…"
            value={query}
            onChange={(event) => setQuery(event.currentTarget.value)}
          />
          {open !== null && (
            <button type="button" className="plain-button" onClick={() => setOpen(null)}>
              Back to all
            </button>
          )}
          <button type="button" className="plain-button" onClick={onClose}>
            Close
          </button>
        </header>
        {looked ? (
          <Lightbox shown={looked} onStep={step} onClose={onClose} />
        ) : first && second ? (
          <>
            <Comparison first={first} second={second} />
            <button type="button" className="plain-button" onClick={() => setChosen([])}>
              Choose others
            </button>
          </>
        ) : (
          <div className="gallery-grid" data-scrolls>
            {found.map((shown) => (
              <Thumbnail
                key={shown.key}
                shown={shown}
                isChosen={chosen.includes(shown.key)}
                onOpen={() => setOpen(shown.key)}
                onChoose={() => choose(shown.key)}
              />
            ))}
            {isLoaded && found.length === 0 && (
              <p className="empty">{all.length === 0 ? "No picture was made yet." : "Nothing matches."}</p>
            )}
          </div>
        )}
      </div>
    </Modal>
  );
}

function picturesIn(job: Job): Shown[] {
  const texts = Object.values(job.prompt).flatMap((node) =>
    isObject(node) && isObject(node["inputs"])
      ? Object.values(node["inputs"]).flatMap((value) => asString(value) ?? [])
      : [],
  );
  return picturesOf(job).map((picture, index) => ({
    key: `${job.id}/${index}`,
    picture,
    job,
    words: [picture.filename, ...texts].join(" "),
  }));
}

interface ThumbnailProps {
  readonly shown: Shown;
  readonly isChosen: boolean;
  readonly onOpen: () => void;
  readonly onChoose: () => void;
}

function Thumbnail({ shown: { picture }, isChosen, onOpen, onChoose }: ThumbnailProps) {
  const { api } = useApp();
  return (
    <figure className={isChosen ? "thumbnail chosen" : "thumbnail"}>
      <button type="button" aria-label={`Look at ${picture.filename}`} onClick={onOpen}>
        <img src={api.pictureUrl(picture)} alt="" loading="lazy" />
      </button>
      <figcaption title={picture.filename}>
        <input
          type="checkbox"
          aria-label={`Compare ${picture.filename}`}
          title="Two that are ticked are compared"
          checked={isChosen}
          onChange={onChoose}
        />
        {picture.filename}
      </figcaption>
    </figure>
  );
}

interface LightboxProps {
  readonly shown: Shown;
  readonly onStep: (by: number) => void;
  readonly onClose: () => void;
}

function Lightbox({ shown: { picture, job }, onStep, onClose }: LightboxProps) {
  const { api, files, queue } = useApp();
  const url = api.pictureUrl(picture);
  const root = useRef<HTMLElement>(null);
  // What was pressed to come here is gone; the arrows need the focus to be in the dialog.
  useEffect(() => root.current?.focus(), []);
  return (
    <figure ref={root} className="lightbox" tabIndex={-1}>
      <img src={url} alt={picture.filename} />
      <figcaption>
        <button type="button" className="plain-button" aria-label="The picture before" onClick={() => onStep(-1)}>
          ←
        </button>
        <button type="button" className="plain-button" aria-label="The next picture" onClick={() => onStep(1)}>
          →
        </button>
        <strong>{picture.filename}</strong>
        <a className="plain-button" href={url} download={picture.filename}>
          Download
        </a>
        {job.workflow && (
          <button
            type="button"
            className="plain-button"
            onClick={() => {
              onClose();
              void files.openJob(job);
            }}
          >
            Open its workflow
          </button>
        )}
        <button
          type="button"
          className="plain-button danger"
          title="Takes the job out of the history; the file stays on the server"
          onClick={() => void queue.remove(job)}
        >
          Forget
        </button>
      </figcaption>
    </figure>
  );
}

function Comparison({ first, second }: { readonly first: Shown; readonly second: Shown }) {
  const { api } = useApp();
  const sideOf = ({ picture }: Shown) => ({ url: api.pictureUrl(picture), name: picture.filename });
  return <ComparePictures first={sideOf(first)} second={sideOf(second)} />;
}
