/**
 * Metadata of MP4 and QuickTime films. Sources: ISO/IEC 14496-12 (boxes), Apple's QuickTime File Format, "Metadata":
 * keys by number under `keys`, values under `ilst`; a comment of iTunes' kind needs no key.
 */
import { fourLetters } from "./webp.ts";

const COMMENT = "\u00a9cmt";

interface Box {
  readonly type: string;
  readonly body: Uint8Array;
}

export function isMp4(bytes: Uint8Array): boolean {
  return ["ftyp", "moov", "mdat", "free", "wide", "skip"].includes(fourLetters(bytes, 4));
}

/** Keyword, in small letters -> text. */
export function readMp4Texts(bytes: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  for (const movie of boxesIn(bytes).filter(({ type }) => type === "moov")) readHolder(movie.body, texts);
  return texts;
}

/** `meta` stands in the movie itself or in its user data. */
function readHolder(body: Uint8Array, texts: Map<string, string>): void {
  for (const box of boxesIn(body)) {
    if (box.type === "udta") readHolder(box.body, texts);
    if (box.type === "meta") readMeta(box.body, texts);
  }
}

function readMeta(body: Uint8Array, texts: Map<string, string>): void {
  // MP4 puts a version before the boxes, QuickTime does not.
  const isVersioned = fourLetters(body, 4) !== "hdlr";
  const boxes = boxesIn(isVersioned ? body.subarray(4) : body);
  const keys = boxes.find(({ type }) => type === "keys");
  const names = keys ? keysOf(keys.body) : [];
  for (const item of boxesIn(boxes.find(({ type }) => type === "ilst")?.body ?? new Uint8Array())) {
    const name = item.type === COMMENT ? "comment" : names[numberOf(item.type) - 1];
    const data = boxesIn(item.body).find(({ type }) => type === "data");
    // Type and locale, four bytes each, stand before the text.
    if (name !== undefined && data) texts.set(name.toLowerCase(), new TextDecoder().decode(data.body.subarray(8)));
  }
}

function keysOf(body: Uint8Array): string[] {
  const names = boxesIn(body.subarray(8)).map((key) => new TextDecoder().decode(key.body));
  return names.map((name) => name.split(".").at(-1) ?? name);
}

function numberOf(type: string): number {
  return [...type].reduce((sum, letter) => sum * 256 + letter.charCodeAt(0), 0);
}

function boxesIn(bytes: Uint8Array): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const boxes: Box[] = [];
  let offset = 0;
  while (offset + 8 <= bytes.length) {
    const short = view.getUint32(offset);
    const isLong = short === 1 && offset + 16 <= bytes.length;
    const size = short === 0 ? bytes.length - offset : isLong ? Number(view.getBigUint64(offset + 8)) : short;
    const head = isLong ? 16 : 8;
    if (size < head) break;
    boxes.push({ type: fourLetters(bytes, offset + 4), body: bytes.subarray(offset + head, offset + size) });
    offset += size;
  }
  return boxes;
}
