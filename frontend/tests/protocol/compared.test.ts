import { expect, test } from "vitest";
import { parseOutput } from "../../src/protocol/messages.ts";

test("the pictures that a node compares say which is which", () => {
  const picture = (filename: string) => ({ filename, subfolder: "", type: "temp" });
  expect(parseOutput({ a_images: [picture("one.png")], b_images: [picture("two.png")] })?.pictures).toEqual([
    { ...picture("one.png"), side: "a" },
    { ...picture("two.png"), side: "b" },
  ]);
});
