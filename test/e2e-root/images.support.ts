import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { freePort } from "@muster/foundation/free-port";
import { vi } from "vitest";

/** What these tests need beside containers. */
export const imageTools = ["skopeo", "docker-registry", "tar", "perl"];

export interface Made {
  readonly digest: string;
  readonly layers: readonly { readonly digest: string; readonly diffId: string }[];
}

export interface ImageWish {
  /** Plain tars, the lowest first. */
  readonly layers: readonly Buffer[];
  readonly config?: object;
  readonly architecture?: string;
  readonly os?: string;
  /** What its configuration says of its layers, if not the truth. */
  readonly diffIds?: readonly string[];
  readonly pack?: (tar: Buffer) => Buffer;
}

export const sha256 = (bytes: Buffer | string): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
/** This host's architecture as images name it, and another. */
export const here = process.arch === "x64" ? "amd64" : process.arch;
export const elsewhere = here === "arm64" ? "amd64" : "arm64";
const manifestType = "application/vnd.oci.image.manifest.v1+json";

/** Images in a folder, by digest, as the OCI lays them out. */
export class Layout {
  readonly folder: string;
  readonly #manifests: object[] = [];

  constructor(folder: string) {
    this.folder = folder;
    mkdirSync(join(folder, "blobs/sha256"), { recursive: true });
    writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  add(tag: string, wish: ImageWish): Made {
    const made = this.#image(wish);
    this.#tag(tag, { mediaType: manifestType, digest: made.digest, size: made.size });
    return made;
  }

  /** One name for images of several platforms. */
  addIndex(tag: string, wishes: readonly (ImageWish & { readonly architecture: string })[]): string {
    const manifests = wishes.map((wish) => {
      const { digest, size } = this.#image(wish);
      return { mediaType: manifestType, digest, size, platform: { os: "linux", architecture: wish.architecture } };
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const { digest, size } = this.blob(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
    this.#tag(tag, { mediaType, digest, size });
    return digest;
  }

  blob(bytes: Buffer | string): { readonly digest: string; readonly size: number } {
    const digest = sha256(bytes);
    writeFileSync(this.path(digest), bytes);
    return { digest, size: Buffer.byteLength(bytes) };
  }

  path(digest: string): string {
    return join(this.folder, "blobs", digest.replace(":", "/"));
  }

  #image({ layers, config = {}, architecture = here, os = "linux", diffIds, pack = gzipSync }: ImageWish) {
    const blobs = layers.map((tar) => ({ ...this.blob(pack(tar)), diffId: sha256(tar) }));
    const rootfs = { type: "layers", diff_ids: diffIds ?? blobs.map(({ diffId }) => diffId) };
    const configBlob = this.blob(JSON.stringify({ architecture, os, config, rootfs, history: [] }));
    const manifest = {
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: "application/vnd.oci.image.config.v1+json", ...configBlob },
      layers: blobs.map(({ digest, size }) => ({
        mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
        digest,
        size,
      })),
    };
    return { ...this.blob(JSON.stringify(manifest)), layers: blobs };
  }

  #tag(tag: string, descriptor: object): void {
    this.#manifests.push({ ...descriptor, annotations: { "org.opencontainers.image.ref.name": tag } });
    writeFileSync(join(this.folder, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: this.#manifests }));
  }
}

const programs = [
  "sh",
  "sleep",
  "cat",
  "ls",
  "id",
  "perl",
  "mkdir",
  "touch",
  "setsid",
  "hostname",
  "grep",
  "env",
  "tail",
  "cut",
];

/** A root with a few programs of this machine, as a tar: what images of tests begin with. */
export function baseLayer(): Buffer {
  return layerOf((root) => {
    for (const name of ["bin", "etc", "tmp", "usr/bin"]) mkdirSync(join(root, name), { recursive: true });
    writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nweb:x:1234:1235::/home/web:/bin/sh\n");
    writeFileSync(join(root, "etc/group"), "root:x:0:\nweb:x:1235:\nlog:x:77:web\n");
    for (const program of programs) {
      const path = execFileSync("which", [program], { encoding: "utf8" }).trim();
      copyFileSync(realpathSync(path), join(root, "bin", program));
      const libraries = execFileSync("ldd", [path], { encoding: "utf8" }).matchAll(/(\/\S+) \(0x/g);
      for (const [, library = ""] of libraries) {
        mkdirSync(join(root, dirname(library)), { recursive: true });
        copyFileSync(realpathSync(library), join(root, library));
      }
    }
  });
}

/** A layer of what `fill` makes in an empty folder. */
export function layerOf(fill: (root: string) => void): Buffer {
  const root = mkdtempSync(join(tmpdir(), "muster-layer-"));
  try {
    fill(root);
    return execFileSync("tar", ["--numeric-owner", "-cf", "-", "."], { cwd: root, maxBuffer: 2 ** 30 });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

/** A layer of these files. */
export function filesLayer(files: Readonly<Record<string, string>>): Buffer {
  return layerOf((root) => {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(root, dirname(path)), { recursive: true });
      if (text.startsWith("-> ")) symlinkSync(text.slice(3), join(root, path));
      else writeFileSync(join(root, path), text);
    }
  });
}

export interface TarEntry {
  readonly name: string;
  /** As tar has it: "0" a file, "1" a hard link, "2" a symbolic link, "3" a device. */
  readonly type?: string;
  readonly link?: string;
  readonly text?: string;
}

/** A tar that no tool would write. */
export function craftedTar(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ name, type = "0", link = "", text = "" }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, "latin1");
    header.write("0000644\0", 100);
    header.write("0000000\0", 108);
    header.write("0000000\0", 116);
    header.write(`${text.length.toString(8).padStart(11, "0")}\0`, 124);
    header.write("00000000000\0", 136);
    header.write("        ", 148);
    header.write(type, 156);
    header.write(link, 157, "latin1");
    header.write("ustar\u000000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return [header, Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A registry in a process of its own, on loopback. */
export class Registry {
  address = "";
  readonly folder = mkdtempSync(join(tmpdir(), "muster-registry-"));
  #child: ChildProcess | undefined;

  async start(): Promise<void> {
    const port = await freePort();
    this.address = `127.0.0.1:${port}`;
    const config = join(this.folder, "config.yml");
    writeFileSync(
      config,
      `version: 0.1\nlog: {level: error}\nstorage: {filesystem: {rootdirectory: ${this.folder}/data}}\nhttp: {addr: "${this.address}"}\n`,
    );
    this.#child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    await vi.waitUntil(
      () =>
        fetch(`http://${this.address}/v2/`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { timeout: 10_000 },
    );
  }

  push(layout: Layout, tag: string, name: string): string {
    const target = `${this.address}/${name}`;
    execFileSync(
      "skopeo",
      [
        "--insecure-policy",
        "copy",
        "-q",
        "--all",
        "--dest-tls-verify=false",
        `oci:${layout.folder}:${tag}`,
        `docker://${target}`,
      ],
      { stdio: "pipe" },
    );
    return target;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child && child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
  }

  async remove(): Promise<void> {
    await this.stop();
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }
}
