import { listValue, stringValue } from "../value.ts";
import { FunctionFailure, type FunctionTable, integerOf, many, textOf } from "./kit.ts";

interface Prefix {
  readonly address: bigint;
  readonly length: number;
  /** 32 or 128. */
  readonly bits: number;
}

function parsePrefix(text: string): Prefix {
  const [address = "", length = "", ...rest] = text.split("/");
  const isV6 = address.includes(":");
  const bits = isV6 ? 128 : 32;
  const value = isV6 ? parseV6(address) : parseV4(address);
  const size = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  if (value === undefined || rest.length > 0 || !(size <= bits)) {
    throw new FunctionFailure("needs a prefix such as 10.0.0.0/8");
  }
  const shift = BigInt(bits - size);
  return { address: (value >> shift) << shift, length: size, bits };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n);
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === "" ? [] : half.split(":")));
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...new Array<string>(halves.length === 1 ? 0 : missing).fill("0"), ...tail];
  if (all.some((group) => !/^[0-9a-f]{1,4}$/i.test(group))) return undefined;
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function print(address: bigint, bits: number): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => ((address >> BigInt(112 - at * 16)) & 65_535n).toString(16));
  const text = groups.join(":");
  const runs = [...text.matchAll(/\b0(?::0)+\b/g)].sort((a, b) => b[0].length - a[0].length);
  const longest = runs[0];
  if (!longest) return text;
  const before = text.slice(0, longest.index).replace(/:$/, "");
  const after = text.slice(longest.index + longest[0].length).replace(/^:/, "");
  return `${before}::${after}`;
}

function subnet(prefix: Prefix, newBits: number, number: bigint): Prefix {
  const length = prefix.length + newBits;
  if (newBits < 0 || length > prefix.bits) throw new FunctionFailure("the prefix has not that many bits left", 1);
  if (number < 0n || number >= 1n << BigInt(newBits)) throw new FunctionFailure("the number needs more bits", 2);
  return { ...prefix, address: prefix.address + (number << BigInt(prefix.bits - length)), length };
}

const printPrefix = (prefix: Prefix): string => `${print(prefix.address, prefix.bits)}/${prefix.length}`;

export const networkFunctions: FunctionTable = {
  cidrhost: {
    min: 2,
    max: 2,
    run: (args) => {
      const prefix = parsePrefix(textOf(args, 0));
      const size = 1n << BigInt(prefix.bits - prefix.length);
      const number = BigInt(integerOf(args, 1));
      const host = number < 0n ? size + number : number;
      if (host < 0n || host >= size) throw new FunctionFailure("the prefix has no such host", 1);
      return stringValue(print(prefix.address + host, prefix.bits));
    },
  },
  cidrnetmask: {
    min: 1,
    max: 1,
    run: (args) => {
      const { length, bits } = parsePrefix(textOf(args, 0));
      const host = BigInt(bits - length);
      return stringValue(print((((1n << BigInt(bits)) - 1n) >> host) << host, bits));
    },
  },
  cidrsubnet: {
    min: 3,
    max: 3,
    run: (args) =>
      stringValue(printPrefix(subnet(parsePrefix(textOf(args, 0)), integerOf(args, 1), BigInt(integerOf(args, 2))))),
  },
  cidrsubnets: {
    min: 2,
    max: many,
    run: (args) => {
      const prefix = parsePrefix(textOf(args, 0));
      let next = prefix.address;
      const end = prefix.address + (1n << BigInt(prefix.bits - prefix.length));
      const made = args.slice(1).map((_, index) => {
        const length = prefix.length + integerOf(args, index + 1);
        if (length > prefix.bits || length <= prefix.length) throw new FunctionFailure("no such subnet", index + 1);
        const size = 1n << BigInt(prefix.bits - length);
        const address = ((next + size - 1n) / size) * size;
        if (address + size > end) throw new FunctionFailure("the prefix is used up", index + 1);
        next = address + size;
        return stringValue(printPrefix({ address, length, bits: prefix.bits }));
      });
      return listValue(made);
    },
  },
};
