import protobuf from "protobufjs";
import { expect, test } from "vitest";
import { seededRandom } from "../random/random.ts";
import { codecOf, contractRoot, emptyMessage } from "./codec.ts";
import type { MessageName } from "./method.ts";

const types = (contractRoot().lookup("muster.v1") as protobuf.Namespace).nestedArray.filter(
  (entry): entry is protobuf.Type => entry instanceof protobuf.Type,
);
const random = seededRandom("codec");
const below = (count: number): number => Math.floor(random.next() * count);
const pick = <T>(values: readonly T[]): T => values[below(values.length)] as T;

const texts = ["a", "task-1", "", "ü", "日本語", "x".repeat(47), "x".repeat(60), "é".repeat(126), "__proto__"];
const numbers = [0, 1, 127, 128, 300, 16_383, 16_384, 2 ** 28, 2 ** 31 - 1];

function anyValue(field: protobuf.Field, depth: number): unknown {
  if (field.resolvedType instanceof protobuf.Type) return messageOf(field.resolvedType, depth + 1);
  switch (field.resolvedType instanceof protobuf.Enum ? "enum" : field.type) {
    case "string":
      return random.next() < 0.01 ? "x".repeat(20_000) : pick(texts);
    case "bytes":
      return Buffer.alloc(random.next() < 0.01 ? 20_000 : pick([0, 1, 200]), 7);
    case "bool":
      return random.next() < 0.5;
    case "int32":
      return pick([...numbers, -1, -(2 ** 31)]);
    case "uint32":
      return pick([...numbers, 2 ** 31, 2 ** 32 - 1]);
    case "uint64":
      return pick([...numbers, 2 ** 32, 2 ** 35 + 5, 1_795_485_999_123, 2 ** 53 - 1]);
    default:
      return pick([0, 1, 2, 3]);
  }
}

/** A message with some of its fields, others left out. Of a oneof at most one. */
function messageOf(type: protobuf.Type, depth = 0): Record<string, unknown> {
  const message: Record<string, unknown> = {};
  const chosen = new Set<protobuf.OneOf>();
  for (const field of type.fieldsArray) {
    if (random.next() < (depth > 1 ? 0.8 : 0.3)) continue;
    if (field.partOf && (chosen.has(field.partOf) || random.next() < 0.5)) continue;
    if (field.partOf) chosen.add(field.partOf);
    if (field.repeated) message[field.name] = Array.from({ length: below(4) }, () => anyValue(field, depth));
    else if (field.map) {
      const entries: Record<string, unknown> = {};
      for (let count = below(4); count > 0; count--) entries[pick(["a", "", "b".repeat(130)])] = anyValue(field, depth);
      message[field.name] = entries;
    } else message[field.name] = anyValue(field, depth);
  }
  return message;
}

/** The meaning of bytes as protobufjs itself reads them. */
function peer(type: protobuf.Type, bytes: Uint8Array): unknown {
  return type.toObject(type.decode(bytes), { bytes: String, defaults: true, arrays: true, objects: true });
}

/** Ours in protobufjs's shape: it leaves out what is absent where that is told apart. */
function plain(type: protobuf.Type, message: Record<string, unknown>): unknown {
  const result: Record<string, unknown> = {};
  const inner = (field: protobuf.Field, value: unknown): unknown => {
    if (field.resolvedType instanceof protobuf.Type && value !== null)
      return plain(field.resolvedType, value as Record<string, unknown>);
    return Buffer.isBuffer(value) ? value.toString("base64") : value;
  };
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    if (field.repeated) result[field.name] = (value as unknown[]).map((one) => inner(field, one));
    else if (field.partOf && (value === undefined || value === null)) continue;
    else result[field.name] = inner(field, value);
  }
  return result;
}

test("every message of the contract is written and read as protobufjs does", () => {
  expect(types.length).toBeGreaterThan(200);
  for (const type of types) {
    const codec = codecOf(type.name as MessageName);
    for (let round = 0; round < 3; round++) {
      const message = messageOf(type);
      const theirs = type.encode(message).finish();
      const ours = codec.encode(message as never);
      const meaning = peer(type, theirs);
      expect(peer(type, ours), type.name).toEqual(meaning);
      const read = codec.decode(theirs) as unknown as Record<string, unknown>;
      expect(plain(type, read), type.name).toEqual(meaning);
      expect(plain(type, codec.decode(ours) as never), type.name).toEqual(meaning);
      // What was read is written as it was.
      expect(codec.encode(read as never).equals(ours), type.name).toBe(true);
    }
  }
});

test("what is cut off is refused, whatever its length, and what is garbled is refused or read", () => {
  for (const type of types.filter(({ fieldsArray }) => fieldsArray.length > 0)) {
    const codec = codecOf(type.name as MessageName);
    const bytes = codec.encode(messageOf(type, 2) as never).subarray(0, 600);
    for (let length = 0; length < bytes.length; length++)
      try {
        // Between two fields a message may end.
        expect(codec.encode(codec.decode(bytes.subarray(0, length))).length).toBeLessThanOrEqual(length);
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    for (let round = 0; round < 20 && bytes.length > 0; round++) {
      const garbled = Buffer.from(bytes);
      garbled[below(garbled.length)] = below(256);
      try {
        codec.decode(garbled);
      } catch (error) {
        expect(error, type.name).toBeInstanceOf(RangeError);
      }
    }
  }
});

test("fields that this contract does not have are passed over, of whatever form", () => {
  const known = codecOf("Ping").encode({ pingNumber: 7 });
  const unknown = [
    [0xf8, 0x3f, 0x96, 0x01],
    [0xf9, 0x3f, 1, 2, 3, 4, 5, 6, 7, 8],
    [0xfa, 0x3f, 3, 1, 2, 3],
    [0xfb, 0x3f, 0xf8, 0x3f, 5, 0xfb, 0x3f, 0xfc, 0x3f, 0xfc, 0x3f],
    [0xfd, 0x3f, 1, 2, 3, 4],
    // A known field in a form that it does not have.
    [0x0a, 1, 9],
  ];
  for (const field of unknown) {
    expect(codecOf("Ping").decode(Buffer.concat([Buffer.from(field), known])).pingNumber).toBe(7);
    expect(codecOf("Ping").decode(Buffer.concat([known, Buffer.from(field)])).pingNumber).toBe(7);
    expect(() => codecOf("Ping").decode(Buffer.from(field.slice(0, -1)))).toThrow(RangeError);
  }
  expect(() => codecOf("Ping").decode(Buffer.alloc(100, 0xfb))).toThrow(RangeError);
  expect(() => codecOf("Ping").decode(Buffer.from([0x08, ...Array(11).fill(0x80)]))).toThrow(RangeError);
});

test("defaults take no bytes, but where absence means something else", () => {
  expect(codecOf("TaskStatus").encode(emptyMessage("TaskStatus"))).toHaveLength(0);
  expect(codecOf("TaskStatus").encode({ ...emptyMessage("TaskStatus"), exitCode: 0 }).length).toBeGreaterThan(0);
  expect(
    codecOf("WatchEvent").decode(codecOf("WatchEvent").encode({ sequence: 0, agentRemoved: "" })).agentRemoved,
  ).toBe("");
  expect(codecOf("WatchEvent").decode(Buffer.alloc(0)).agentRemoved).toBeUndefined();
});

test("what was chosen of several is told by name", () => {
  const codec = codecOf("Operation");
  const reserve = { operationId: "r", reserve: emptyMessage("ReserveOperation") };
  expect(codec.decode(codec.encode(reserve)).kind).toBe("reserve");
  expect(codec.decode(codec.encode({ operationId: "r" })).kind).toBeUndefined();
});

test("a message larger than any before is written whole, and those after it too", () => {
  const data = Buffer.alloc(3_000_000, 5);
  const codec = codecOf("ExecutorMessage");
  for (let round = 0; round < 3; round++)
    expect(codec.decode(codec.encode({ agentId: "a", executorId: "e", data })).data.equals(data)).toBe(true);
});
