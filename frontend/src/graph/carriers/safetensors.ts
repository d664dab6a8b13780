/** The metadata of a safetensors file, `.latent` among them: text in its header, before all tensors. */
import { asString, isObject, parseJson } from "../json.ts";

const LENGTH_BYTES = 8;
/** The format's own limit. */
const LONGEST_HEADER = 100_000_000;

/** How many bytes from the file's beginning hold its header; null when this is no such file. */
export function safetensorsHead(bytes: Uint8Array): number | null {
  if (bytes.length < LENGTH_BYTES + 1 || bytes[LENGTH_BYTES] !== 0x7b) return null;
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return length > LONGEST_HEADER ? null : LENGTH_BYTES + length;
}

/** Keyword -> text. */
export function readSafetensorsTexts(bytes: Uint8Array): Map<string, string> {
  const end = safetensorsHead(bytes);
  if (end === null || end > bytes.length) return new Map();
  const header = parseJson(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, end)));
  const metadata = isObject(header) && isObject(header["__metadata__"]) ? header["__metadata__"] : {};
  const texts = Object.entries(metadata).flatMap(([key, text]) => {
    const known = asString(text);
    return known === null ? [] : ([[key, known]] as const);
  });
  return new Map(texts);
}
