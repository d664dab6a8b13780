/** Files that carry text, made byte by byte after their specifications, as small as they may be. */

export type Texts = { readonly [key: string]: string };

const big = (value: number, bytes = 4): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
};

const little = (value: number, bytes = 4): Buffer => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntLE(value, 0, bytes);
  return buffer;
};

/** `order` is that of the bytes: "II" the small end first, "MM" the large one. */
export function exif(texts: Texts, order: "II" | "MM" = "II"): Buffer {
  const number = order === "II" ? little : big;
  const values = Object.entries(texts).map(([key, text]) => Buffer.from(`${key}:${text}\0`));
  const data = 8 + 2 + values.length * 12 + 4;
  let offset = data;
  const entries = values.map((value, index) => {
    const entry = Buffer.concat([number(0x010f - index, 2), number(2, 2), number(value.length), number(offset)]);
    offset += value.length;
    return entry;
  });
  const head = Buffer.concat([Buffer.from(order), number(42, 2), number(8), number(values.length, 2)]);
  return Buffer.concat([head, ...entries, number(0), ...values]);
}

/** A user comment, in the folder of its own that EXIF keeps it in. */
export function exifComment(text: string, coding: "utf-16be" | "utf-16le" | "ascii"): Buffer {
  const plain = Buffer.from(text, coding === "ascii" ? "latin1" : "utf16le");
  const letters = coding === "utf-16be" ? Buffer.from(plain).swap16() : plain;
  const body = Buffer.concat([Buffer.from(coding === "ascii" ? "ASCII\0\0\0" : "UNICODE\0"), letters]);
  const head = Buffer.concat([Buffer.from("MM"), big(42, 2), big(8)]);
  const first = Buffer.concat([big(1, 2), big(0x8769, 2), big(4, 2), big(1), big(26), big(0)]);
  const second = Buffer.concat([big(1, 2), big(0x9286, 2), big(7, 2), big(body.length), big(44), big(0)]);
  return Buffer.concat([head, first, second, body]);
}

export function webp(block: Buffer): Buffer {
  const chunk = (type: string, data: Buffer): Buffer =>
    Buffer.concat([Buffer.from(type), little(data.length), data, Buffer.alloc(data.length % 2)]);
  const body = Buffer.concat([Buffer.from("WEBP"), chunk("VP8X", Buffer.alloc(11)), chunk("EXIF", block)]);
  return Buffer.concat([Buffer.from("RIFF"), little(body.length), body]);
}

const box = (type: string | number, ...parts: Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const name = typeof type === "number" ? big(type) : Buffer.from(type, "latin1");
  return Buffer.concat([big(8 + body.length), name, body]);
};

const dataBox = (text: string): Buffer => box("data", big(1), big(0), Buffer.from(text));

/** As ffmpeg writes it: `keys` names them, `ilst` has their values by number. */
export function mp4(texts: Texts, { isQuickTime = false } = {}): Buffer {
  const keys = Object.keys(texts).map((key) => box("mdta", Buffer.from(key)));
  const items = Object.values(texts).map((text, index) => box(index + 1, dataBox(text)));
  const inside = [box("hdlr", Buffer.alloc(24)), box("keys", big(0), big(keys.length), ...keys), box("ilst", ...items)];
  const meta = box("meta", ...(isQuickTime ? [] : [big(0)]), ...inside);
  return Buffer.concat([
    box("ftyp", Buffer.from("isom")),
    box("mdat", Buffer.alloc(50)),
    box("moov", box("udta", meta)),
  ]);
}

export function mp4Comment(text: string): Buffer {
  const item = box("\u00a9cmt", dataBox(text));
  const meta = box("meta", big(0), box("hdlr", Buffer.alloc(24)), box("ilst", item));
  return Buffer.concat([box("ftyp", Buffer.from("isom")), box("moov", box("udta", meta))]);
}

/** `isOpen` leaves the segment's size unknown, as a film that is still being written has it. */
export function webm(texts: Texts, { isOpen = false } = {}): Buffer {
  const size = (length: number): Buffer => big(0x10_00_00_00 + length);
  const element = (id: number, bytes: number, ...parts: Buffer[]): Buffer => {
    const body = Buffer.concat(parts);
    return Buffer.concat([big(id, bytes), size(body.length), body]);
  };
  const tags = Object.entries(texts).map(([key, text]) =>
    element(0x67c8, 2, element(0x45a3, 2, Buffer.from(key)), element(0x4487, 2, Buffer.from(text))),
  );
  const body = Buffer.concat([
    element(0x1549a966, 4, Buffer.alloc(3)),
    element(0x1254c367, 4, element(0x7373, 2, ...tags)),
  ]);
  const unknown = Buffer.from([0x01, 255, 255, 255, 255, 255, 255, 255]);
  const segment = Buffer.concat([big(0x18538067), isOpen ? unknown : size(body.length), body]);
  return Buffer.concat([element(0x1a45dfa3, 4, Buffer.alloc(5)), segment]);
}

export function safetensors(texts: Texts): Buffer {
  const tensor = { dtype: "F32", shape: [1], data_offsets: [0, 4] };
  const header = Buffer.from(JSON.stringify({ __metadata__: texts, latent_tensor: tensor }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  return Buffer.concat([length, header, Buffer.alloc(4)]);
}

/** An animated picture's chunk for each key. */
export function animatedPng(texts: Texts): Buffer {
  const chunks = Object.entries(texts).map(([key, text]) => {
    const body = Buffer.from(`${key}\0${text}`);
    return Buffer.concat([big(body.length), Buffer.from("comf"), body, Buffer.alloc(4)]);
  });
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...chunks]);
}
