import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { defineConfig, type Plugin } from "vite";

const descriptors = fileURLToPath(new URL("../proto/src/gen/muster.binpb", import.meta.url));
/** The page watches; it needs no more of the contract than that and what it imports, and no comments. */
const fileOfThePage = "muster/v1/watch.proto";

/** Makes `virtual:descriptors` the part of the contract that the page speaks, in base64. */
function contract(): Plugin {
  return {
    name: "muster-contract",
    resolveId: (id) => (id === "virtual:descriptors" ? `\0${id}` : undefined),
    load(id) {
      if (id !== "\0virtual:descriptors") return undefined;
      const set = fromBinary(FileDescriptorSetSchema, readFileSync(descriptors));
      const wanted = new Set([fileOfThePage]);
      // An import stands before the file that has it.
      for (const file of [...set.file].reverse())
        if (wanted.has(file.name)) for (const name of file.dependency) wanted.add(name);
      set.file = set.file.filter((file) => wanted.has(file.name));
      for (const file of set.file) delete file.sourceCodeInfo;
      return `export default "${Buffer.from(toBinary(FileDescriptorSetSchema, set)).toString("base64")}";`;
    },
  };
}

export default defineConfig({
  root: fileURLToPath(new URL("src/app", import.meta.url)),
  base: "/",
  plugins: [contract()],
  // One copy of the protobuf runtime, whoever asks for it.
  resolve: { dedupe: ["@bufbuild/protobuf"] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: fileURLToPath(new URL("dist/app", import.meta.url)),
    emptyOutDir: true,
    target: "es2022",
    // The content policy allows no inline script, so none may be made.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
});
