// An image with one program of this host, `sleep`, laid out in a folder as the OCI does: what launches are measured with.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

/** Makes it in an empty folder; gives its name. */
export function makeSleepImage(folder) {
  const root = join(folder, "root");
  const program = execFileSync("which", ["sleep"], { encoding: "utf8" }).trim();
  const libraries = execFileSync("ldd", [program], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g);
  for (const [from, to] of [[program, "/bin/sleep"], ...[...libraries].map(([, path]) => [path, path])]) {
    mkdirSync(join(root, dirname(to)), { recursive: true });
    copyFileSync(realpathSync(from), join(root, to));
  }
  const layout = join(folder, "layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const blob = (bytes) => {
    const digest = digestOf(bytes);
    writeFileSync(join(layout, "blobs/sha256", digest.slice("sha256:".length)), bytes);
    return { digest, size: Buffer.byteLength(bytes) };
  };
  const tar = execFileSync("tar", ["-cf", "-", "."], { cwd: root, maxBuffer: 2 ** 30 });
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const config = { architecture, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [digestOf(tar)] } };
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...blob(JSON.stringify(config)) },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", ...blob(gzipSync(tar)) }],
  };
  const { mediaType } = manifest;
  const annotations = { "org.opencontainers.image.ref.name": "sleep" };
  const manifests = [{ mediaType, ...blob(JSON.stringify(manifest)), annotations }];
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return `oci:${layout}:sleep`;
}

function digestOf(bytes) {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
