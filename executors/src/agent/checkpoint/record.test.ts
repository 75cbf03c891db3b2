import fc from "fast-check";
import { expect, test } from "vitest";
import { crc32c } from "./crc32c.ts";
import { decodeRecord, encodeRecord } from "./record.ts";

test("the checksum is CRC32C: it gives the published value for the digits", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.from("6789"), crc32c(Buffer.from("12345")))).toBe(0xe3069283);
});

test("what was written is read", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      expect(decodeRecord(encodeRecord(plain))).toEqual({ ok: true, value: plain });
    }),
  );
});

test("a record with any one bit flipped is refused", () => {
  const whole = encodeRecord({ taskId: "web.0", phase: "running" });
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const torn = Buffer.from(whole);
    torn[bit >> 3] = (torn[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(decodeRecord(torn).ok, `bit ${bit}`).toBe(false);
  }
});

test("a record cut at any length, or with bytes after its end, is refused", () => {
  const whole = encodeRecord({ taskId: "web.0", phase: "running" });
  for (let length = 0; length < whole.length; length++)
    expect(decodeRecord(whole.subarray(0, length)).ok, `length ${length}`).toBe(false);
  expect(decodeRecord(Buffer.concat([whole, Buffer.alloc(512)])).ok).toBe(false);
});
