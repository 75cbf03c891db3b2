import { expect, test } from "vitest";
import { LinePrefixer } from "./line-prefixer.ts";

test("each line gets the prefix, wherever the pieces are cut, also within a character", () => {
  const bytes = Buffer.from("one\ntwö\nthree");
  for (let cut = 0; cut <= bytes.length; cut++) {
    const prefixer = new LinePrefixer("web.0 | ");
    const printed = prefixer.add(bytes.subarray(0, cut)) + prefixer.add(bytes.subarray(cut)) + prefixer.end();
    expect(printed).toBe("web.0 | one\nweb.0 | twö\nweb.0 | three\n");
  }
});

test("without a prefix the bytes pass as they came", () => {
  const prefixer = new LinePrefixer("");
  expect(prefixer.add(Buffer.from("a\nb")) + prefixer.end()).toBe("a\nb");
});

test("a line bears the time of the piece in which it began", () => {
  const prefixer = new LinePrefixer("web.0 | ");
  const printed = prefixer.add(Buffer.from("a\nb"), "1 ") + prefixer.add(Buffer.from("c\nd\ne"), "2 ") + prefixer.end();
  expect(printed).toBe("web.0 | 1 a\nweb.0 | 1 bc\nweb.0 | 2 d\nweb.0 | 2 e\n");
});
