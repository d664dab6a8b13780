/** Writes small PNGs: a coloured disc on a ground, for scripted previews and results. Source: the PNG specification. */
import { deflateSync, crc32 } from "node:zlib";

/** `texts` become tEXt chunks. Colours are [r, g, b]. */
export function discPng(size, disc, ground, texts = {}) {
  const rows = Buffer.alloc((size * 3 + 1) * size);
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      const isDisc = Math.hypot(x - size / 2, y - size / 2) < size / 3;
      rows.set(isDisc ? disc : ground, y * (size * 3 + 1) + 1 + x * 3);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const text = Object.entries(texts).map(([key, value]) => chunk("tEXt", Buffer.from(`${key}\0${value}`)));
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    ...text,
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32 ? crc32(body) : slowCrc(body), body.length + 4);
  return whole;
}

/** For Node versions whose zlib has no crc32. */
function slowCrc(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
