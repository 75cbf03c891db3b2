import { expect, test } from "vitest";
import type { MusterError } from "../../errors/muster-error.ts";
import { seededRandom } from "../../random/random.ts";
import { MessageReader, messageHeadBytes } from "./message-reader.ts";

function framed(message: Buffer, flag = 0): Buffer {
  const head = Buffer.alloc(messageHeadBytes, flag);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

test("messages come out whole and in order, in whatever pieces they arrive", () => {
  const random = seededRandom("pieces");
  const below = (count: number): number => Math.floor(random.next() * count);
  for (let round = 0; round < 200; round++) {
    const messages = Array.from({ length: 1 + below(6) }, (_, index) => Buffer.alloc(below(3) * below(300), index));
    const bytes = Buffer.concat(messages.map((message, index) => framed(message, index % 2)));
    const reader = new MessageReader(1_000);
    const got: { message: Buffer; isCompressed: boolean }[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + 1 + below(round % 3 === 0 ? 3 : 400));
      reader.read(bytes.subarray(at, end), (message, isCompressed) => got.push({ message, isCompressed }));
      at = end;
    }
    expect(got).toEqual(messages.map((message, index) => ({ message, isCompressed: index % 2 === 1 })));
  }
});

test("a message that is too long is refused by its head alone", () => {
  const reader = new MessageReader(100);
  const take = (): never => {
    throw new Error("nothing is whole");
  };
  reader.read(framed(Buffer.alloc(100)).subarray(0, 50), take);
  const refuse = (): void => new MessageReader(100).read(framed(Buffer.alloc(101)).subarray(0, 5), take);
  expect(refuse).toThrow(expect.objectContaining({ kind: "too-many" } satisfies Partial<MusterError>));
});

test("a message does not keep alive what it came in", () => {
  const chunk = Buffer.concat([framed(Buffer.from("a")), Buffer.alloc(0)]);
  new MessageReader(100).read(chunk, (message) => {
    chunk.fill(0);
    expect(message.toString()).toBe("a");
  });
});
