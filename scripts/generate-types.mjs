// Makes of proto/muster/v1/*.proto the TypeScript types of the wire, the contract as programs read it when they start, and
// the descriptor set that the dashboard's edge reads.
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const proto = join(root, "proto");
const out = join(proto, "src", "gen");
const stamp = join(out, ".stamp");
const files = readdirSync(join(proto, "muster", "v1"))
  .filter((name) => name.endsWith(".proto"))
  .sort();

const changedAt = (path) => {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return 0;
  }
};
const newest = Math.max(
  changedAt(fileURLToPath(import.meta.url)),
  ...files.map((name) => changedAt(join(proto, "muster", "v1", name))),
);

/** One list of all messages, enumerations and methods, so that a name that does not exist is an error of types. */
function writeIndex() {
  const folder = join(out, "muster", "v1");
  const names = readdirSync(folder)
    .map((name) => name.replace(/\.ts$/, ""))
    .sort();
  const lines = ["// Made from proto/muster/v1/*.proto."];
  const messages = [];
  for (const name of names) {
    const text = readFileSync(join(folder, `${name}.ts`), "utf8");
    const from = `"./muster/v1/${name}.ts"`;
    if (text.includes(`export interface ${name}Client `)) {
      // The method table below stands in for the generated client types, which would pull gRPC into this package.
      rmSync(join(folder, `${name}.ts`));
    } else if (text.includes(`export const ${name} = `)) {
      lines.push(`export { ${name} } from ${from};`);
    } else {
      messages.push(name);
      lines.push(`export type { ${name}, ${name}Input } from ${from};`);
    }
  }
  for (const name of messages) lines.push(`import type { ${name} as M${name} } from "./muster/v1/${name}.ts";`);
  lines.push("/** Every message by its name. */", "export interface Messages {");
  for (const name of messages) lines.push(`  ${name}: M${name};`);
  lines.push(
    "}",
    "/** Every method: its path, its messages, and which of its sides stream. */",
    "export const methods = {",
  );
  const rpc = /^ {2}rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\)/;
  for (const file of files) {
    rmSync(join(out, file.replace(/proto$/, "ts")), { force: true });
    let service = "";
    for (const line of readFileSync(join(proto, "muster", "v1", file), "utf8").split("\n")) {
      service = /^service (\w+)/.exec(line)?.[1] ?? service;
      const found = rpc.exec(line);
      if (!found) continue;
      const [, method, up, request, down, response] = found;
      lines.push(
        `  "${service}.${method}": { path: "/muster.v1.${service}/${method}", request: "${request}", response: "${response}", requestStream: ${up !== undefined}, responseStream: ${down !== undefined} },`,
      );
    }
  }
  lines.push("} as const;", "");
  writeFileSync(join(out, "index.ts"), lines.join("\n"));
}

/** The contract parsed and with all its imports: every program would parse a dozen files at each start. */
function writeContract() {
  const contract = new protobuf.Root();
  contract.resolvePath = (_origin, target) => join(proto, target);
  contract.loadSync(files.map((name) => `muster/v1/${name}`));
  const json = JSON.stringify(contract.toJSON());
  const text = [
    "// Made from proto/muster/v1/*.proto.",
    "/** The whole contract in protobufjs's JSON. */",
    `export const contractJson: string = ${JSON.stringify(json)};`,
    "",
  ];
  writeFileSync(join(out, "contract.ts"), text.join("\n"));
}

if (changedAt(stamp) < newest) {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const bin = (name) => join(root, "node_modules", ".bin", name);
  execFileSync(
    bin("proto-loader-gen-types"),
    [
      // The same choices as in proto/src/loader-options.ts: what is generated must be what arrives.
      "--longs=Number",
      "--defaults",
      "--oneofs",
      "--includeComments",
      "--grpcLib=@grpc/grpc-js",
      "--targetFileExtension=.ts",
      "--importFileExtension=.ts",
      "--inputTemplate=%sInput",
      "--outputTemplate=%s",
      "--includeDirs=.",
      "--outDir=src/gen",
      ...files.map((name) => join("muster", "v1", name)),
    ],
    { cwd: proto, stdio: ["ignore", "ignore", "inherit"] },
  );
  writeIndex();
  writeContract();
  execFileSync(bin("buf"), ["build", "-o", join(out, "muster.binpb")], { cwd: root, stdio: "inherit" });
  writeFileSync(stamp, "");
}
