import protobuf from "protobufjs/light.js";
import { Reader } from "./reader.ts";
import { Writer } from "./writer.ts";

/** What is made of one message type. */
export interface WireType {
  /** Writes a message at a position and gives back where it ends. */
  readonly encode: (message: never, at: number) => number;
  /** Reads the message between two positions. */
  readonly decode: (bytes: Buffer, at: number, end: number) => unknown;
  /** A message in which every field has its default. */
  readonly empty: () => unknown;
}

const writer = new Writer();
const reader = new Reader();
const noBytes = Buffer.alloc(0);
/** What an absent list or map is decoded to: one for all, and not to be changed. */
const noItems: readonly never[] = Object.freeze([]);
const noEntries = Object.freeze({});

/** Null: it is being compiled. */
const compiled = new Map<protobuf.Type, WireType | null>();

/** The bytes of a whole message. */
export function encodeWhole({ encode }: WireType, message: unknown): Buffer {
  return writer.take(encode(message as never, 0));
}

/** The message that these bytes are, all of them. Throws RangeError if they are none. */
export function decodeWhole({ decode }: WireType, bytes: Uint8Array): unknown {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return decode(buffer, 0, buffer.length);
}

/**
 * Makes functions of a message type's description that read and write just that type: straight code without a look at
 * the description, which is what makes them several times as fast as a general one. Compiled once, at first use.
 *
 * A decoded message is a plain object that has every field: absent ones have their default, null for messages,
 * undefined for what is optional. Under the name of a choice (oneof) stands the name of the field that was chosen.
 * Defaults are not written, but for optional fields.
 */
export function compileType(type: protobuf.Type): WireType {
  const known = compiled.get(type);
  if (known === null) throw new Error(`${type.name} contains itself: this codec can't bound its depth`);
  if (known) return known;
  compiled.set(type, null);
  const fields = type.fieldsArray.map((field) => field.resolve()).sort((a, b) => a.id - b.id);
  const inner = fields.map((field) =>
    field.resolvedType instanceof protobuf.Type ? compileType(field.resolvedType) : undefined,
  );
  const wire: WireType = {
    encode: make(encoderSource(fields), "writer", writer, inner, "encode"),
    decode: make(decoderSource(fields), "reader", reader, inner, "decode"),
    empty: make(emptySource(fields), "unused", undefined, inner, "empty"),
  };
  compiled.set(type, wire);
  return wire;
}

function make<K extends keyof WireType>(
  source: string,
  name: string,
  shared: unknown,
  inner: readonly (WireType | undefined)[],
  kind: K,
): WireType[K] {
  const parts = inner.map((wire) => wire?.[kind]);
  return new Function(name, "inner", "noBytes", "noItems", "noEntries", source)(
    shared,
    parts,
    noBytes,
    noItems,
    noEntries,
  ) as WireType[K];
}

type Kind = "message" | "text" | "bytes" | "bool" | "int32" | "uint32" | "uint64";

/** What the contract uses; another type is an error at the first use of a message that has it. */
function kindOf(field: protobuf.Field): Kind {
  if (field.resolvedType instanceof protobuf.Type) return "message";
  if (field.resolvedType instanceof protobuf.Enum) return "int32";
  switch (field.type) {
    case "string":
      return "text";
    case "bytes":
    case "bool":
    case "int32":
    case "uint32":
    case "uint64":
      return field.type;
    default:
      throw new Error(`${field.fullName}: this codec has no ${field.type}`);
  }
}

/** Fields whose absence is told apart from their default. */
function hasPresence(field: protobuf.Field): boolean {
  return field.options?.["proto3_optional"] === true || field.partOf !== null;
}

const isDelimited = (kind: Kind): boolean => kind === "message" || kind === "text" || kind === "bytes";

/** Code that writes a tag: it is known when the code is made. */
function writeTag(id: number, wireType: number): string {
  let rest = (id << 3) | wireType;
  let source = "";
  for (; rest > 127; rest >>>= 7) source += `b[p++] = ${(rest & 127) | 128}; `;
  return `${source}b[p++] = ${rest};`;
}

/** Code that writes a value `v`, without its tag. */
function writeValue(kind: Kind, index: number, reserve: number): string {
  switch (kind) {
    case "message":
      // So many bytes are left for the length as it took the last time.
      return `q = p + n${index}; r = e${index}(v, q); s = p; p = writer.close(s, q, r, ${reserve}); n${index} = p - (r - q) - s; b = writer.buffer;`;
    case "text":
      return `p = writer.text(p, v, ${reserve}); b = writer.buffer;`;
    case "bytes":
      return `p = writer.bytes(p, v, ${reserve}); b = writer.buffer;`;
    case "bool":
      return "b[p++] = v ? 1 : 0;";
    case "uint32":
      return "if (v >= 0 && v < 128) b[p++] = v; else p = writer.number(p, v >>> 0);";
    default:
      return "if (v >= 0 && v < 128) b[p++] = v; else p = writer.number(p, v);";
  }
}

const isDefault: Readonly<Record<Kind, string>> = {
  message: "v == null",
  text: 'v === "" || v == null',
  bytes: "v == null || v.length === 0",
  bool: "!v",
  int32: "!v",
  uint32: "!v",
  uint64: "!v",
};

/** The most that a field takes besides text, bytes and messages: tag, and number or length. */
const fieldBytesMax = 16;

function encoderSource(fields: readonly protobuf.Field[]): string {
  const reserve = (fields.length + 1) * fieldBytesMax;
  let head = "";
  let body = `let b = writer.room(p, ${reserve}), v, q, r, s;\n`;
  for (const [index, field] of fields.entries()) {
    const kind = kindOf(field);
    const name = JSON.stringify(field.name);
    if (kind === "message" || field.map || field.repeated) head += `let n${index} = 1;\n`;
    if (kind === "message") head += `const e${index} = inner[${index}];\n`;
    if (field instanceof protobuf.MapField) {
      const value = `${writeTag(2, isDelimited(kind) ? 2 : 0)} ${writeValue(kind, index, reserve)}`;
      body += `{ const entries = m[${name}]; if (entries != null) for (const key in entries) {
        ${writeTag(field.id, 2)} const at = p; p += n${index}; const start = p; v = key; ${writeTag(1, 2)} ${writeValue("text", index, reserve)}
        v = entries[key]; ${value}
        const end = p; p = writer.close(at, start, end, ${reserve}); n${index} = p - (end - start) - at; b = writer.buffer; } }\n`;
    } else if (field.repeated && !isDelimited(kind)) {
      body += `{ const list = m[${name}]; if (list != null && list.length > 0) {
        ${writeTag(field.id, 2)} const at = p; p += n${index}; const start = p; b = writer.room(p, 10 * list.length + ${reserve});
        for (let i = 0; i < list.length; i++) { v = list[i]; ${writeValue(kind, index, reserve)} }
        const end = p; p = writer.close(at, start, end, ${reserve}); n${index} = p - (end - start) - at; b = writer.buffer; } }\n`;
    } else if (field.repeated) {
      body += `{ const list = m[${name}]; if (list != null) for (let i = 0; i < list.length; i++) {
        v = list[i]; ${writeTag(field.id, 2)} ${writeValue(kind, index, reserve)} } }\n`;
    } else {
      const absent = hasPresence(field) ? "v == null" : isDefault[kind];
      body += `v = m[${name}]; if (!(${absent})) { ${writeTag(field.id, isDelimited(kind) ? 2 : 0)} ${writeValue(kind, index, reserve)} }\n`;
    }
  }
  return `${head}return function encode(m, p) {\n${body}return p;\n};`;
}

/** Code that reads a number into `v`: most take one byte. */
const readNumber = "v = b[p++]; if (v > 127) { v = reader.number(b, p - 1); p = reader.at; }";

/** Code that reads a value into `x`. */
function readValue(kind: Kind, index: number): string {
  const delimited = `${readNumber} if (!(p + v <= end)) reader.truncated();`;
  switch (kind) {
    case "message":
      return `${delimited} x = d${index}(b, p, p + v); p += v;`;
    case "text":
      return `${delimited} x = reader.text(b, p, v); p += v;`;
    case "bytes":
      return `${delimited} x = v === 0 ? noBytes : b.subarray(p, p + v); p += v;`;
    case "bool":
      return `${readNumber} x = v !== 0;`;
    case "uint32":
      return "x = b[p++]; if (x > 127) { reader.number(b, p - 1); x = reader.low >>> 0; p = reader.at; }";
    case "int32":
      return "x = b[p++]; if (x > 127) { reader.number(b, p - 1); x = reader.low | 0; p = reader.at; }";
    case "uint64":
      return `${readNumber} x = v;`;
  }
}

const defaults: Readonly<Record<Kind, string>> = {
  message: "null",
  text: '""',
  bytes: "noBytes",
  bool: "false",
  int32: "0",
  uint32: "0",
  uint64: "0",
};

function decoderSource(fields: readonly protobuf.Field[]): string {
  let head = "";
  let locals = "let v, x";
  let cases = "";
  let result = "";
  const choices = [
    ...new Set(fields.flatMap(({ partOf, options }) => (partOf && !options?.["proto3_optional"] ? [partOf] : []))),
  ];
  for (const [index, { name }] of choices.entries()) {
    locals += `, c${index}`;
    result += `${JSON.stringify(name)}: c${index}, `;
  }
  for (const [index, field] of fields.entries()) {
    const kind = kindOf(field);
    const tag = (field.id << 3) | (isDelimited(kind) || field.map ? 2 : 0);
    if (kind === "message") head += `const d${index} = inner[${index}];\n`;
    const local = `f${index}`;
    if (field instanceof protobuf.MapField) {
      locals += `, ${local} = noEntries`;
      cases += `case ${tag}: { ${readNumber} if (!(p + v <= end)) reader.truncated();
        const outer = end; end = p + v; let key = "", value = ${defaults[kind]};
        while (p < end) { ${readNumber} switch (v) {
          case 10: ${readValue("text", index)} key = x; break;
          case ${16 | (isDelimited(kind) ? 2 : 0)}: ${readValue(kind, index)} value = x; break;
          default: p = reader.skip(b, p, v); } }
        if (p !== end) reader.truncated();
        end = outer; if (${local} === noEntries) ${local} = {};
        if (key === "__proto__") Object.defineProperty(${local}, key, { value, enumerable: true, configurable: true, writable: true });
        else ${local}[key] = value; break; }\n`;
      result += `${JSON.stringify(field.name)}: ${local}, `;
      continue;
    }
    const isOptional = hasPresence(field);
    const absent = kind === "message" ? "null" : isOptional ? "undefined" : defaults[kind];
    locals += `, ${local} = ${field.repeated ? "noItems" : absent}`;
    const keep = field.repeated ? `if (${local} === noItems) ${local} = [x]; else ${local}.push(x);` : `${local} = x;`;
    const choice = choices.indexOf(field.partOf as protobuf.OneOf);
    const choose = choice < 0 ? "" : `c${choice} = ${JSON.stringify(field.name)};`;
    cases += `case ${tag}: ${readValue(kind, index)} ${keep} ${choose} break;\n`;
    if (field.repeated && !isDelimited(kind))
      cases += `case ${(field.id << 3) | 2}: { ${readNumber} if (!(p + v <= end)) reader.truncated();
        const last = p + v; while (p < last) { ${readValue(kind, index)} ${keep} } if (p !== last) reader.truncated(); break; }\n`;
    result += `${JSON.stringify(field.name)}: ${local}, `;
  }
  return `${head}return function decode(b, p, end) {
${locals};
while (p < end) {
${readNumber}
switch (v) {
${cases}default: p = reader.skip(b, p, v);
}
}
if (p !== end) reader.truncated();
return { ${result} };
};`;
}

function emptySource(fields: readonly protobuf.Field[]): string {
  let result = "";
  for (const field of fields) {
    const name = JSON.stringify(field.name);
    if (field.repeated) result += `${name}: [], `;
    else if (field.map) result += `${name}: {}, `;
    else if (!hasPresence(field)) result += `${name}: ${defaults[kindOf(field)]}, `;
  }
  return `return function empty() { return { ${result} }; };`;
}
