/**
 * Text that a PNG carries: tEXt, zTXt and iTXt chunks (the PNG specification, third edition, 11.3.3), and the `comf`
 * chunks of animated ones, which are built as tEXt is.
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => bytes[index] === byte);
}

/** Keyword -> text. Chunks that are cut off or cannot be inflated are passed over. */
export async function readPngTexts(bytes: Uint8Array): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = SIGNATURE.length;
  while (offset + 12 <= bytes.length) {
    const length = view.getUint32(offset);
    const type = latin1(bytes.subarray(offset + 4, offset + 8));
    const data = bytes.subarray(offset + 8, offset + 8 + length);
    if (data.length < length || type === "IEND") break;
    const text = await readTextChunk(type, data).catch(() => null);
    if (text && !texts.has(text.keyword)) texts.set(text.keyword, text.text);
    offset += 12 + length;
  }
  return texts;
}

async function readTextChunk(type: string, data: Uint8Array): Promise<{ keyword: string; text: string } | null> {
  const end = data.indexOf(0);
  if (end < 0) return null;
  const keyword = latin1(data.subarray(0, end));
  switch (type) {
    case "tEXt":
    case "comf":
      return { keyword, text: textOf(data.subarray(end + 1)) };
    case "zTXt":
      return { keyword, text: textOf(await inflate(data.subarray(end + 2))) };
    case "iTXt": {
      const compressed = data[end + 1] === 1;
      const language = data.indexOf(0, end + 3);
      const translated = data.indexOf(0, language + 1);
      if (language < 0 || translated < 0) return null;
      const body = data.subarray(translated + 1);
      return { keyword, text: new TextDecoder().decode(compressed ? await inflate(body) : body) };
    }
    default:
      return null;
  }
}

/** tEXt is Latin-1 by the standard, but some programs write UTF-8. */
function textOf(data: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data);
  } catch {
    return latin1(data);
  }
}

function latin1(data: Uint8Array): string {
  let text = "";
  for (const byte of data) text += String.fromCharCode(byte);
  return text;
}

async function inflate(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
