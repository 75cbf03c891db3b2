// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the values are texts of the job's language.
import { posix } from "node:path";
import { type Compiled, compileJob, type FileReader } from "@muster/jobspecs";
import { cloneOf } from "./clone.ts";

export const { clone, reason } = cloneOf("MUSTER_NOMAD_CLONE", "hashicorp/nomad");

export interface JobFile {
  readonly path: string;
  readonly text: string;
}

/** Every file that holds a job block, whatever its name ends with. */
export const jobFiles: readonly JobFile[] = clone
  ? clone
      .read(clone.paths().filter((path) => /\.(nomad|hcl|tpl)$|\.nomad\./.test(path) && !path.startsWith("website/")))
      .filter(({ text }) => /^\s*job\s.*\{/m.test(text))
  : [];

/** Variables that their job files give no default: what the tests that come with them say, or might. */
const values: Readonly<Record<string, string>> = {
  X: "x",
  Y: "2",
  Z: "true",
  address: "http://127.0.0.1",
  alloc_count: "1",
  cmd: "touch",
  delay: "1",
  empty_constraint: "${meta.empty}",
  empty_key: "empty",
  end: "59 23",
  filename: "alive",
  foo_constraint: "${meta.foo}",
  foo_key: "foo",
  format: "conf",
  registry_address: "127.0.0.1:5000",
  secret_path: "some/secret",
  secret_value: "hidden",
  service: "one",
  start: "0 0",
  unset_constraint: "${meta.unset}",
  unset_key: "unset",
  user: "nobody",
};

/** The job of a file, with values for the variables that have no default. */
export function compileFile({ path, text }: JobFile, further: Readonly<Record<string, string>> = {}): Compiled {
  const known = { ...values, ...further };
  const variables = [...text.matchAll(/^variable "(\w+)" \{([^}]*)\}/gm)]
    .filter(([, , body = ""]) => !/^\s*default\b/m.test(body))
    .flatMap(([, name = ""]) => (known[name] === undefined ? [] : [{ name, value: known[name] }]));
  return compileJob({ file: path, text, variables, files: filesBeside(path) });
}

/** What a job file may read: the files of the clone that stand beside it. */
function filesBeside(path: string): FileReader {
  const absolute = (name: string): string => posix.join(posix.dirname(path), name);
  const read = (name: string): string => {
    const [found] = clone?.read([absolute(name)]) ?? [];
    if (!found) throw new Error(`no file ${name}`);
    return found.text;
  };
  return {
    read,
    absolute,
    readBase64: (name) => Buffer.from(read(name)).toString("base64"),
    exists: (name) => clone?.paths().includes(absolute(name)) ?? false,
    home: () => "/root",
    list: () => [],
  };
}
