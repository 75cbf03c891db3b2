import { parseDocument } from "yaml";
import type { Surroundings } from "../scope.ts";
import {
  boolValue,
  listValue,
  mapValue,
  nullValue,
  numberText,
  numberValue,
  type RuntimePart,
  stringValue,
  type Value,
} from "../value.ts";
import { FunctionFailure, type FunctionTable, textOf } from "./kit.ts";

const hashed = (algorithm: "md5" | "sha1" | "sha256" | "sha512"): FunctionTable[string] => ({
  min: 1,
  max: 1,
  run: (args, surroundings) => stringValue(surroundings.hash(algorithm, textOf(args, 0))),
});

export const encodingFunctions: FunctionTable = {
  md5: hashed("md5"),
  sha1: hashed("sha1"),
  sha256: hashed("sha256"),
  sha512: hashed("sha512"),
  base64encode: { min: 1, max: 1, run: (args, { base64 }) => stringValue(base64.encode(textOf(args, 0))) },
  base64decode: { min: 1, max: 1, run: (args, { base64 }) => stringValue(base64.decode(textOf(args, 0))) },
  jsonencode: { min: 1, max: 1, run: (args) => joinParts(jsonParts(args[0] ?? nullValue)) },
  // JSON is YAML: what is written so, every reader of YAML takes.
  yamlencode: { min: 1, max: 1, run: (args) => joinParts([...jsonParts(args[0] ?? nullValue), { text: "\n" }]) },
  jsondecode: { min: 1, max: 1, run: (args) => fromJson(parseJson(textOf(args, 0))) },
  csvdecode: { min: 1, max: 1, run: (args) => decodeCsv(textOf(args, 0)) },
  uuidv4: { min: 0, max: 0, run: (_, { uuid }) => stringValue(uuid()) },
  uuidv5: {
    min: 2,
    max: 2,
    run: (args, { hash }) => stringValue(uuidFromName(textOf(args, 0), textOf(args, 1), hash)),
  },
  yamldecode: { min: 1, max: 1, run: (args) => fromYaml(textOf(args, 0)) },
  rsadecrypt: { min: 2, max: 2, run: (args, around) => decrypted(textOf(args, 0), textOf(args, 1), around) },
};

/** Aliases of one document: each may stand for all that is above it. */
const yamlAliasesMax = 100;

function fromYaml(text: string): Value {
  const { parsed, fault } = readYaml(text);
  if (fault) throw new FunctionFailure(fault);
  return fromJson(parsed);
}

/** One document, by version 1.2 of YAML; or why it is none. */
function readYaml(text: string): { readonly parsed?: unknown; readonly fault?: string } {
  try {
    const document = parseDocument(text, { prettyErrors: true, logLevel: "error" });
    const [error] = document.errors;
    if (error) return { fault: (error.message.split("\n")[0] ?? "").replace(/:$/, "") };
    return { parsed: document.toJS({ maxAliasCount: yamlAliasesMax }) };
  } catch (error) {
    // The reader calls itself for each level, and counts aliases only when they are followed.
    if (error instanceof RangeError) return { fault: "it is too deep" };
    return { fault: (error as Error).message };
  }
}

/** PKCS #1 v1.5: 0, 2, padding without a zero, 0, the text. */
function decrypted(cipher: string, key: string, { base64, rsaDecrypt }: Surroundings): Value {
  let block: Uint8Array;
  try {
    block = rsaDecrypt(base64.decodeBytes(cipher), key);
  } catch {
    throw new FunctionFailure("the key is no RSA key in PEM form, or not the one of this text", 1);
  }
  const end = block.indexOf(0, 2);
  if (block[0] !== 0 || block[1] !== 2 || end < 10) throw new FunctionFailure("the key is not the one of this text", 1);
  return stringValue(new TextDecoder().decode(block.subarray(end + 1)));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new FunctionFailure("the text is no JSON");
  }
}

/** A value out of parsed JSON. */
export function fromJson(value: unknown): Value {
  if (value === null || value === undefined) return nullValue;
  if (typeof value === "string") return stringValue(value);
  if (typeof value === "number") return numberValue(value);
  if (typeof value === "boolean") return boolValue(value);
  if (Array.isArray(value)) return listValue(value.map(fromJson));
  return mapValue(Object.entries(value).map(([key, item]) => [key, fromJson(item)] as const));
}

function joinParts(parts: readonly RuntimePart[]): Value {
  if (parts.some((part) => "reference" in part)) return { kind: "runtime", parts };
  return stringValue(parts.map((part) => ("text" in part ? part.text : "")).join(""));
}

/** References stay references inside the JSON text. */
function jsonParts(value: Value): RuntimePart[] {
  switch (value.kind) {
    case "string":
      return [{ text: jsonText(value.text) }];
    case "number":
      return [{ text: numberText(value.number) }];
    case "bool":
      return [{ text: String(value.bool) }];
    case "runtime":
      return [
        { text: '"' },
        ...value.parts.map((part) => ("text" in part ? { text: jsonText(part.text).slice(1, -1) } : part)),
        { text: '"' },
      ];
    case "list":
      return [
        { text: "[" },
        ...value.items.flatMap((item, at) => [...(at > 0 ? [{ text: "," }] : []), ...jsonParts(item)]),
        { text: "]" },
      ];
    case "map":
      return [
        { text: "{" },
        ...[...value.entries].flatMap(([key, item], at) => [
          { text: `${at > 0 ? "," : ""}${jsonText(key)}:` },
          ...jsonParts(item),
        ]),
        { text: "}" },
      ];
    default:
      return [{ text: "null" }];
  }
}

/** As Go prints it: `<`, `>` and `&` escaped. */
function jsonText(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function decodeCsv(text: string): Value {
  const [header, ...rows] = csvRows(text);
  if (!header) throw new FunctionFailure("the text has no header line");
  return listValue(
    rows.map((row) => {
      if (row.length !== header.length)
        throw new FunctionFailure("a line has another number of fields than the header");
      return mapValue(header.map((name, at) => [name, stringValue(row[at] ?? "")] as const));
    }),
  );
}

function csvRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted = false;
  const endRow = (): void => {
    row.push(field);
    if (row.length > 1 || row[0] !== "") rows.push(row);
    row = [];
    field = "";
  };
  for (let at = 0; at < text.length; at++) {
    const sign = text[at] ?? "";
    if (quoted) {
      if (sign !== '"') field += sign;
      else if (text[at + 1] === '"') field += text[at++];
      else quoted = false;
    } else if (sign === '"' && field === "") quoted = true;
    else if (sign === ",") {
      row.push(field);
      field = "";
    } else if (sign === "\n") endRow();
    else if (sign !== "\r") field += sign;
  }
  endRow();
  return rows;
}

const namespaces: Readonly<Record<string, string>> = {
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  oid: "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
  x500: "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
};

/** Version 5: SHA-1 over the namespace's 16 bytes and the name. */
function uuidFromName(space: string, name: string, hash: Surroundings["hash"]): string {
  const digits = (namespaces[space] ?? space).replaceAll("-", "");
  if (!/^[0-9a-f]{32}$/i.test(digits)) throw new FunctionFailure("the namespace is a UUID, dns, url, oid or x500");
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(16 + text.length);
  for (let at = 0; at < 16; at++) bytes[at] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
  bytes.set(text, 16);
  const hex = hash("sha1", bytes);
  const variant = ((Number.parseInt(hex.slice(16, 18), 16) & 0x3f) | 0x80).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20, 32)}`;
}
