/** How many arguments a function takes, that of a pipe included, and how it is written. */
export interface FunctionShape {
  readonly min: number;
  readonly max: number;
  readonly usage: string;
}

const many = Number.POSITIVE_INFINITY;

function shape(usage: string, min: number, max = min): FunctionShape {
  return { min, max, usage };
}

const shapes: Readonly<Record<string, FunctionShape>> = {
  // Of Go's templates.
  and: shape("A B…", 1, many),
  or: shape("A B…", 1, many),
  not: shape("A", 1),
  eq: shape("A B…", 2, many),
  ne: shape("A B", 2),
  lt: shape("A B", 2),
  le: shape("A B", 2),
  gt: shape("A B", 2),
  ge: shape("A B", 2),
  len: shape("LIST", 1),
  index: shape("LIST KEY…", 1, many),
  slice: shape("LIST FROM TO", 1, 3),
  print: shape("A…", 0, many),
  println: shape("A…", 0, many),
  printf: shape('"FORMAT" A…', 1, many),
  // What only the agent knows.
  env: shape('"NAME"', 1),
  envOrDefault: shape('"NAME" "DEFAULT"', 2),
  mustEnv: shape('"NAME"', 1),
  meta: shape('"NAME"', 1),
  secretText: shape('"NAME" "KEY"', 1, 2),
  key: shape('"PATH"', 1),
  keyExists: shape('"PATH"', 1),
  keyOrDefault: shape('"PATH" "DEFAULT"', 2),
  ls: shape('"FOLDER"', 1),
  safeLs: shape('"FOLDER"', 1),
  tree: shape('"FOLDER"', 1),
  safeTree: shape('"FOLDER"', 1),
  service: shape('"NAME"', 1, 2),
  services: shape("", 0),
  nomadService: shape('"NAME", or nomadService COUNT "FOR WHOM" "NAME"', 1, 3),
  nomadServices: shape("", 0),
  timestamp: shape('"unix"', 0, 1),
  // Texts.
  toLower: shape("TEXT", 1),
  toUpper: shape("TEXT", 1),
  toTitle: shape("TEXT", 1),
  trim: shape('"SIGNS" TEXT', 2),
  trimSpace: shape("TEXT", 1),
  trimPrefix: shape('"PREFIX" TEXT', 2),
  trimSuffix: shape('"SUFFIX" TEXT', 2),
  split: shape('"SEPARATOR" TEXT', 2),
  splitToMap: shape('"SEPARATOR" "BETWEEN" TEXT', 3),
  join: shape('"SEPARATOR" LIST', 2),
  replaceAll: shape('"FROM" "TO" TEXT', 3),
  indent: shape("COUNT TEXT", 2),
  regexMatch: shape('"PATTERN" TEXT', 2),
  base64Encode: shape("TEXT", 1),
  base64Decode: shape("TEXT", 1),
  base64URLEncode: shape("TEXT", 1),
  base64URLDecode: shape("TEXT", 1),
  // Lists.
  contains: shape("A LIST", 2),
  containsAll: shape("LIST LIST", 2),
  containsAny: shape("LIST LIST", 2),
  containsNone: shape("LIST LIST", 2),
  containsNotAll: shape("LIST LIST", 2),
  in: shape("LIST A", 2),
  loop: shape("FROM TO", 1, 2),
  byTag: shape("SERVICES", 1),
  // Conversions.
  parseBool: shape("TEXT", 1),
  parseFloat: shape("TEXT", 1),
  parseInt: shape("TEXT", 1),
  parseUint: shape("TEXT", 1),
  parseJSON: shape("TEXT", 1),
  toJSON: shape("A", 1),
  toJSONPretty: shape("A", 1),
  toUnescapedJSON: shape("A", 1),
  toUnescapedJSONPretty: shape("A", 1),
  // Numbers.
  add: shape("B A", 2),
  subtract: shape("B A", 2),
  multiply: shape("B A", 2),
  divide: shape("B A", 2),
  modulo: shape("B A", 2),
  minimum: shape("B A", 2),
  maximum: shape("B A", 2),
  executeTemplate: shape('"NAME" A', 1, 2),
};

export const functionNames: readonly string[] = Object.keys(shapes);

export function functionShape(name: string): FunctionShape | undefined {
  return Object.hasOwn(shapes, name) ? shapes[name] : undefined;
}

interface Refusal {
  readonly reason: string;
  readonly instead: string;
}

const vault: Refusal = {
  reason: "Muster uses no Vault",
  instead: 'write a secret block in the task, and {{ secretText "NAME" }}',
};
const mesh: Refusal = { reason: "Muster has no Consul and no mesh", instead: 'use {{ service "NAME" }}' };
const variables: Refusal = {
  reason: "Muster has no Nomad variables",
  instead: 'keep it with muster key set, and use {{ key "PATH" }}',
};
const agents: Refusal = {
  reason: "agents are not shown to templates",
  instead: 'use {{ env "NOMAD_DC" }} and the like for the task\'s own',
};
const hashes: Refusal = { reason: "hashes are not available", instead: "compute it in the task" };
const formats: Refusal = { reason: "only JSON is read and written", instead: "use parseJSON and toJSON" };
const place = (instead: string): Refusal => ({ reason: "not available in templates", instead });

/** Functions that templates for Consul and Nomad know and Muster has not: why, and what to use instead. */
export const refusedFunctions: Readonly<Record<string, Refusal>> = {
  secret: vault,
  secrets: vault,
  pkiCert: vault,
  nomadVar: variables,
  nomadVarList: variables,
  nomadVarListSafe: variables,
  nomadVarExists: variables,
  connect: mesh,
  caRoots: mesh,
  caLeaf: mesh,
  peerings: mesh,
  partitions: mesh,
  exportedServices: mesh,
  datacenters: { reason: "a cluster is one region", instead: 'use {{ env "NOMAD_DC" }}' },
  node: agents,
  nodes: agents,
  file: {
    reason: "a template reads no files of the agent",
    instead: 'write a secret block with provider = "file", and {{ secretText "NAME" }}',
  },
  plugin: { reason: "a template runs no programs", instead: "do it in a prestart task" },
  writeToFile: { reason: "a template writes its own file alone", instead: "write a template block for each file" },
  scratch: place("use variables: {{ $x := … }}"),
  call: place("use the functions by their names"),
  html: place("the text goes out as it is"),
  js: place("use toJSON"),
  urlquery: place("encode it in the task"),
  byKey: place('use {{ range tree "FOLDER" }}'),
  byMeta: place("use {{ if eq .ServiceMeta.NAME … }}"),
  byPort: place("use {{ if eq .Port … }}"),
  explode: place('use {{ range tree "FOLDER" }}'),
  explodeMap: place('use {{ range tree "FOLDER" }}'),
  mergeMap: place("use several variables"),
  mergeMapWithOverride: place("use several variables"),
  regexReplaceAll: place("use replaceAll"),
  sockaddr: place('use {{ env "NOMAD_IP_LABEL" }}'),
  hmacSHA256Hex: hashes,
  md5sum: hashes,
  sha256Hex: hashes,
  sha256sum: hashes,
  parseYAML: formats,
  toYAML: formats,
  toTOML: formats,
  spew_dump: place("use toJSONPretty"),
  spew_printf: place("use printf"),
  spew_sdump: place("use toJSONPretty"),
  spew_sprintf: place("use printf"),
};
