/** Text that a WebP picture carries in its EXIF chunk. Source: WebP Container Specification (RFC 9649), 2.7. */
import { readExifTexts } from "./exif.ts";

export function isWebp(bytes: Uint8Array): boolean {
  return fourLetters(bytes, 0) === "RIFF" && fourLetters(bytes, 8) === "WEBP";
}

/** Keyword -> text. */
export function readWebpTexts(bytes: Uint8Array): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 12;
  while (offset + 8 <= bytes.length) {
    const length = view.getUint32(offset + 4, true);
    if (fourLetters(bytes, offset) === "EXIF") return readExifTexts(bytes.subarray(offset + 8, offset + 8 + length));
    // Chunks begin at even places.
    offset += 8 + length + (length % 2);
  }
  return new Map();
}

export function fourLetters(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
