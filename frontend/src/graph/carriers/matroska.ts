/** Tags of Matroska and WebM films. Source: RFC 9559 (elements), RFC 8794 (EBML: ids and sizes of variable length). */

const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const TAGS = 0x1254c367;
const TAG = 0x7373;
const SIMPLE_TAG = 0x67c8;
const TAG_NAME = 0x45a3;
const TAG_STRING = 0x4487;
const HOLDERS: ReadonlySet<number> = new Set([SEGMENT, TAGS, TAG]);

interface Element {
  readonly id: number;
  readonly body: Uint8Array;
}

export function isMatroska(bytes: Uint8Array): boolean {
  return bytes.length > 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === EBML;
}

/** Keyword, in small letters -> text. */
export function readMatroskaTexts(bytes: Uint8Array): Map<string, string> {
  const texts = new Map<string, string>();
  const visit = (body: Uint8Array): void => {
    for (const element of elementsIn(body)) {
      if (HOLDERS.has(element.id)) visit(element.body);
      if (element.id !== SIMPLE_TAG) continue;
      const parts = [...elementsIn(element.body)];
      const text = (id: number): string | undefined => {
        const found = parts.find((part) => part.id === id);
        return found && new TextDecoder().decode(found.body).replace(/\0+$/, "");
      };
      const [name, value] = [text(TAG_NAME), text(TAG_STRING)];
      if (name !== undefined && value !== undefined) texts.set(name.toLowerCase(), value);
    }
  };
  visit(bytes);
  return texts;
}

function* elementsIn(bytes: Uint8Array): Generator<Element> {
  let offset = 0;
  while (offset < bytes.length) {
    const id = variable(bytes, offset, false);
    const size = id && variable(bytes, offset + id.length, true);
    if (!id || !size) return;
    const start = offset + id.length + size.length;
    // A film that was still being written does not know its size: all ones. It goes on to the end.
    const end = size.value === 2 ** (7 * size.length) - 1 ? bytes.length : start + size.value;
    yield { id: id.value, body: bytes.subarray(start, end) };
    offset = end;
  }
}

/** The zeros before the first one say how many bytes there are. Ids keep that one, sizes lose it. */
function variable(bytes: Uint8Array, offset: number, isSize: boolean): { value: number; length: number } | null {
  const first = bytes[offset] ?? 0;
  const length = Math.clz32(first) - 23;
  if (length > 8 || offset + length > bytes.length) return null;
  let value = isSize ? first & (0xff >> length) : first;
  for (let index = 1; index < length; index += 1) value = value * 256 + (bytes[offset + index] ?? 0);
  return { value, length };
}
