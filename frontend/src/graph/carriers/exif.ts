/** Text in EXIF data, as pictures carry it. Source: TIFF 6.0, section 2, and CIPA DC-008 (Exif 2.32), 4.6. */

const PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0];
const ASCII = 2;
const EXIF_FOLDER = 0x8769;
const USER_COMMENT = 0x9286;
const MOST_ENTRIES = 512;

/** "workflow:{…}" in any tag is the text under `workflow`; a user comment is `parameters`. */
export function readExifTexts(block: Uint8Array): Map<string, string> {
  const bytes = PREFIX.every((byte, index) => block[index] === byte) ? block.subarray(PREFIX.length) : block;
  const texts = new Map<string, string>();
  try {
    new ExifReader(bytes, texts).read();
  } catch (error) {
    // A block that is cut off gives what it had until there.
    if (!(error instanceof RangeError)) throw error;
  }
  return texts;
}

class ExifReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly texts: Map<string, string>;
  private readonly isLittle: boolean;

  constructor(bytes: Uint8Array, texts: Map<string, string>) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.texts = texts;
    this.isLittle = bytes[0] === 0x49;
  }

  read(): void {
    this.folder(this.view.getUint32(4, this.isLittle), true);
  }

  private folder(offset: number, isFirst: boolean): void {
    const count = Math.min(this.view.getUint16(offset, this.isLittle), MOST_ENTRIES);
    for (let index = 0; index < count; index += 1) {
      const entry = offset + 2 + index * 12;
      const tag = this.view.getUint16(entry, this.isLittle);
      const type = this.view.getUint16(entry + 2, this.isLittle);
      const length = this.view.getUint32(entry + 4, this.isLittle);
      const value = length > 4 ? this.view.getUint32(entry + 8, this.isLittle) : entry + 8;
      if (tag === EXIF_FOLDER && isFirst) this.folder(this.view.getUint32(entry + 8, this.isLittle), false);
      else if (tag === USER_COMMENT) this.put("parameters", commentOf(this.bytes.subarray(value, value + length)));
      else if (type === ASCII) this.tagged(new TextDecoder().decode(this.bytes.subarray(value, value + length)));
    }
  }

  private tagged(text: string): void {
    const match = /^(workflow|prompt|parameters):([^]*?)\0*$/i.exec(text);
    if (match?.[1] && match[2] !== undefined) this.put(match[1].toLowerCase(), match[2]);
  }

  private put(key: string, text: string): void {
    if (!this.texts.has(key)) this.texts.set(key, text);
  }
}

/** Eight bytes name the coding. Writers disagree about the order of the bytes of UTF-16: letters show which it is. */
function commentOf(bytes: Uint8Array): string {
  const coding = new TextDecoder().decode(bytes.subarray(0, 8)).replaceAll("\0", "");
  const body = bytes.subarray(8);
  if (coding !== "UNICODE") return new TextDecoder().decode(body).replace(/\0+$/, "");
  const label = body[0] === 0 ? "utf-16be" : "utf-16le";
  return new TextDecoder(label).decode(body).replace(/\0+$/, "");
}
