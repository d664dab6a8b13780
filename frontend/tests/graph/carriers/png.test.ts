import { deflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readPngTexts } from "../../../src/graph/carriers/png.ts";

const SIGNATURE = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);

function chunk(type: string, data: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(data.length);
  return Buffer.concat([head, Buffer.from(type), data, Buffer.alloc(4)]);
}

const international = (keyword: string, text: string, isCompressed: boolean): Buffer => {
  const body = Buffer.from(text);
  const flags = Buffer.from([0, isCompressed ? 1 : 0, 0]);
  return chunk(
    "iTXt",
    Buffer.concat([Buffer.from(keyword), flags, Buffer.from("en\0a word\0"), isCompressed ? deflateSync(body) : body]),
  );
};

describe("text is read from", () => {
  const cases: [string, Buffer, string][] = [
    ["tEXt", chunk("tEXt", Buffer.from('workflow\0{"a":1}')), '{"a":1}'],
    ["tEXt in UTF-8", chunk("tEXt", Buffer.from("workflow\0größe ∞")), "größe ∞"],
    ["tEXt in Latin-1", chunk("tEXt", Buffer.from("workflow\0gr\u00f6sse", "latin1")), "grösse"],
    ["zTXt", chunk("zTXt", Buffer.concat([Buffer.from("workflow\0\0"), deflateSync(Buffer.from("packed"))])), "packed"],
    ["iTXt", international("workflow", "größe", false), "größe"],
    ["compressed iTXt", international("workflow", "größe", true), "größe"],
  ];
  test.each(cases)("%s", async (_, data, expected) => {
    const png = Buffer.concat([SIGNATURE, chunk("IHDR", Buffer.alloc(13)), data, chunk("IEND", Buffer.alloc(0))]);
    expect((await readPngTexts(png)).get("workflow")).toBe(expected);
  });
});

test("a chunk that is cut off or damaged is passed over", async () => {
  const damaged = chunk("zTXt", Buffer.from("workflow\0\0not deflated"));
  const whole = Buffer.concat([
    SIGNATURE,
    damaged,
    chunk("tEXt", Buffer.from("prompt\0kept")),
    chunk("tEXt", Buffer.from("lost\0text")),
  ]);
  const texts = await readPngTexts(whole.subarray(0, whole.length - 9));
  expect([...texts]).toEqual([["prompt", "kept"]]);
});
