import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isTerminal } from "@muster/foundation";
import { StatusReason, TaskState } from "@muster/proto";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { AgentFixture } from "../../executors/src/agent/agent-fixture.test.support.ts";
import type { RegistrySettings } from "../../executors/src/images/skopeo.ts";
import { containersHere, kernelObjects } from "./containers.ts";
import {
  baseLayer,
  craftedTar,
  elsewhere,
  filesLayer,
  here,
  imageTools,
  Layout,
  layerOf,
  type Made,
  type TarEntry,
} from "./images.support.ts";
import { LyingRegistry, skopeoOf } from "./lying-registry.support.ts";
import { lacking, testUnless } from "./machine.ts";

const { host, reason } = await containersHere();
const lack = host ? lacking(...imageTools, "zstd") : reason;
const { TASK_FINISHED } = TaskState;
afterEach(() => expect.poll(() => kernelObjects(dataFolder), { timeout: 5_000 }).toEqual([]));
const fixture = AgentFixture.use(beforeEach, afterEach);
let dataFolder = "";
beforeEach(() => {
  dataFolder = fixture.dataFolder;
});

const folder = mkdtempSync(join(tmpdir(), "muster-images-"));
const layout = new Layout(join(folder, "layout"));
const registry = new LyingRegistry(layout);
afterEach(() => registry.reset());
let lowest: Buffer;
let good: Made;
beforeAll(async () => {
  if (lack !== "") return;
  lowest = baseLayer();
  good = layout.add("good", { layers: [lowest, filesLayer({ file: "good" })], config: { Cmd: ["/bin/cat", "/file"] } });
  layout.addIndex("foreign", [
    { layers: [], architecture: elsewhere },
    { layers: [], architecture: "s390x" },
  ]);
  layout.addIndex("many", [
    { layers: [], architecture: elsewhere },
    { layers: [lowest, filesLayer({ file: "mine" })], architecture: here, config: { Cmd: ["/bin/cat", "/file"] } },
  ]);
  layout.add("single", { layers: [lowest], architecture: "s390x" });
  await registry.start();
}, 30_000);
afterAll(async () => {
  if (lack === "") await registry.stop();
  rmSync(folder, { recursive: true, force: true });
});

function testOci(title: string, act: () => Promise<void>, timeoutMs?: number): void {
  testUnless(lack, title, act, timeoutMs);
}

async function agent(registries: Partial<RegistrySettings> = {}): Promise<void> {
  if (!host) throw new Error(reason);
  await fixture.agentWithContainers(host, ["host"], {
    hasImages: true,
    registries: { authFile: "", insecureRegistries: [registry.address], ...registries },
  });
}

let taskCount = 0;

/** What becomes of a task from that image: "FINISHED: output", or the reason of its failure. */
async function outcome(image: string, config: object = {}): Promise<string> {
  const taskId = `task-${++taskCount}`;
  const driverConfigJson = JSON.stringify({ image, ...config });
  fixture.master.launch({ taskId, spec: { driver: "oci", command: "", driverConfigJson } });
  const last = () => fixture.master.of(taskId).at(-1);
  await fixture.master.until(() => isTerminal(last()?.state ?? TaskState.TASK_STAGING), `end of ${taskId}`);
  if (last()?.state === TASK_FINISHED) return `FINISHED: ${fixture.outputOf(taskId)}`;
  expect(last()?.reason).toBe(StatusReason.REASON_LAUNCH_FAILED);
  return last()?.message ?? "";
}

const at = (tag: string): string => `${registry.address}/a/b:${tag}`;

/** What of images is on the disk beside empty folders. */
function kept(): string[] {
  const images = join(dataFolder, "images");
  return ["layers", "images", "names", "moment"].flatMap((name) =>
    readdirSync(join(images, name)).map((entry) => `${name}/${entry}`),
  );
}

testOci("an image that is not there, or may not be had, ends the task with just that", async () => {
  await agent();
  expect(await outcome(at("none"))).toBe(`image ${at("none")}: it was not found in the registry`);
  expect(await outcome(`oci:${layout.folder}:none`)).toContain(`it was not found in ${layout.folder}`);
  expect(await outcome("oci:/no/such/folder:1")).toContain("it was not found in /no/such/folder");
  registry.lie = (_path, response) => {
    response.writeHead(401, { "www-authenticate": 'Basic realm="here"' });
    response.end("{}");
    return true;
  };
  expect(await outcome(at("good"))).toMatch(/does not let this agent have it/);
  expect(kept()).toEqual([]);
});

testOci("a registry without encryption is asked only if the agent names it", async () => {
  await agent({ insecureRegistries: [] });
  expect(await outcome(at("good"))).toMatch(/speaks http without encryption/);
});

testOci("a registry that can't be reached is tried again, and named", async () => {
  await agent({ insecureRegistries: ["127.0.0.1:9"] });
  const config = { image_pull_timeout_ms: 800 };
  expect(await outcome("127.0.0.1:9/a:1", config)).toMatch(
    /within 0\.8 s .*; before that registry 127\.0\.0\.1:9 can't be reached: .*connection refused/,
  );
});

testOci("case 75: what has another digest than was asked for fails the task, and no copy of it is kept", async () => {
  await agent();
  const [layer] = good.layers;
  registry.lie = (path, response) => {
    if (!path.endsWith(`/blobs/${layer?.digest}`)) return false;
    const bytes = readFileSync(layout.path(layer?.digest ?? ""));
    bytes[bytes.length >> 1] = 255 - (bytes[bytes.length >> 1] ?? 0);
    response.end(bytes);
    return true;
  };
  expect(await outcome(at("good"))).toMatch(/gave something else than the digest says/);
  registry.lie = (path, response) => {
    if (!path.includes("/manifests/")) return false;
    const bytes = readFileSync(layout.path(good.digest));
    response.writeHead(200, { "content-type": JSON.parse(bytes.toString()).mediaType });
    response.end(`${bytes} `);
    return true;
  };
  expect(await outcome(`${registry.address}/a/b@${good.digest}`)).toMatch(/digest/);
  expect(kept()).toEqual([]);
  expect(readdirSync(join(dataFolder, "images/blobs/sha256"))).not.toContain(layer?.digest.slice(7));
  registry.reset();
  layout.add("wrong", { layers: [lowest], diffIds: [`sha256:${"0".repeat(64)}`] });
  expect(await outcome(at("wrong"))).toMatch(/unpacks to sha256:[0-9a-f]{64}, not to sha256:0{64}/);
  expect(await outcome(at("good"))).toBe("FINISHED: good");
});

testOci("a layer that was damaged on the agent's disk is fetched again", async () => {
  await agent();
  const blobs = join(dataFolder, "images/blobs/sha256");
  mkdirSync(blobs, { recursive: true });
  const digest = good.layers[0]?.digest ?? "";
  writeFileSync(join(blobs, digest.slice(7)), readFileSync(layout.path(digest)).fill(0, 100, 2_000));
  expect(await outcome(at("good"))).toBe("FINISHED: good");
});

testOci("case 74: a blob that is cut at half is fetched anew, alone, and counts by its digest only", async () => {
  await agent();
  const [layer, other] = good.layers;
  let cuts = 2;
  registry.lie = (path, response) => {
    if (!path.endsWith(`/blobs/${layer?.digest}`) || cuts-- <= 0) return false;
    const bytes = readFileSync(layout.path(layer?.digest ?? ""));
    response.writeHead(200, { "content-length": bytes.length });
    // Not before the other is here: a try that fails takes along what is on its way.
    const cut = setInterval(() => {
      if (!existsSync(join(dataFolder, "images/blobs/sha256", other?.digest.slice("sha256:".length) ?? ""))) return;
      clearInterval(cut);
      response.destroy();
    }, 20);
    response.once("close", () => clearInterval(cut));
    response.write(bytes.subarray(0, bytes.length >> 1));
    return true;
  };
  expect(await outcome(at("good"))).toBe("FINISHED: good");
  const asked = (digest = ""): number => registry.asked.filter((path) => path.endsWith(`/blobs/${digest}`)).length;
  expect(asked(layer?.digest)).toBe(3);
  // What came whole in a try that failed is not fetched again.
  expect(asked(other?.digest)).toBe(1);
});

testOci("case 76: an image for other machines only fails the task, which names them", async () => {
  await agent();
  const names = [`linux/${elsewhere}`, "linux/s390x"].sort().join(", ");
  expect(await outcome(at("foreign"))).toBe(`image ${at("foreign")}: no image for linux/${here}; there are ${names}`);
  expect(await outcome(at("single"))).toContain(`no image for linux/${here}; there is linux/s390x`);
  expect(await outcome(`oci:${layout.folder}:foreign`)).toContain(`no image for linux/${here}; there are ${names}`);
  expect(await outcome(at("many"))).toBe("FINISHED: mine");
  expect(await outcome(`oci:${layout.folder}:many`)).toBe("FINISHED: mine");
});

testOci("a registry that stalls fails the task at its deadline, and leaves no process", async () => {
  await agent();
  registry.lie = (path) => path.includes("/blobs/");
  expect(await outcome(at("good"), { image_pull_timeout_ms: 700 })).toMatch(/not here within 0\.7 s/);
  expect(skopeoOf(dataFolder)).toEqual([]);
  expect(kept()).toEqual([]);
});

const escapes: Readonly<Record<string, readonly TarEntry[]>> = {
  "leads outside": [{ name: "../../outside" }],
  "is absolute": [{ name: "/outside" }],
  "leads through link, which is no folder": [{ name: "link", type: "2", link: "/" }, { name: "link/outside" }],
  "leads through up, which is no folder": [
    { name: "up", type: "2", link: "../../.." },
    { name: "up/outside/", type: "5" },
  ],
  "the target of hard leads outside": [{ name: "hard", type: "1", link: "../../../etc/passwd" }],
  "hard link to etc/passwd, which this layer does not have": [{ name: "hard", type: "1", link: "etc/passwd" }],
  "is a device": [{ name: "disk", type: "4" }],
  "hides nothing that can be hidden": [{ name: "a/.wh..." }],
};

testOci("case 73: a layer that would write outside of its folder is refused, and nothing is there", async () => {
  await agent();
  for (const [index, [what, entries]] of Object.entries(escapes).entries()) {
    layout.add(`escape-${index}`, { layers: [lowest, craftedTar(entries)] });
    const said = await outcome(at(`escape-${index}`));
    expect(said).toContain("is refused: ");
    expect(said).toContain(what);
  }
  for (const path of ["/outside", join(dataFolder, "outside"), join(dataFolder, "images/outside")])
    expect(existsSync(path)).toBe(false);
  // The lowest layer is good, and may stay.
  expect(kept().filter((name) => !name.startsWith("layers/"))).toEqual([]);
  expect(readdirSync(join(dataFolder, "images/layers"))).toEqual([good.layers[0]?.diffId.slice(7)]);
});

testOci(
  "owners, modes, links, attributes and times of a layer are kept; those of overlayfs itself are not",
  async () => {
    await agent();
    const tar = layerOf((root) => {
      const script = `
      mkdir(0 + 0 ? "" : "d") or die; open(F, ">d/f"); print F "x"; close F; link("d/f", "d/hard") or die;
      symlink("/nowhere/at/all", "d/soft") or die; chown(7, 8, "d/f") == 1 or die; chmod(04755, "d/f") == 1 or die;
      utime(1000000000, 1000000000, "d/f") == 1 or die;
      for (["d/f", "user.kept", "1"], ["d", "trusted.overlay.redirect", "/etc"]) {
        my ($path, $name, $value) = @$_;
        syscall(${process.arch === "arm64" ? 6 : 189}, $path, $name, $value, length $value, 0) == 0 or die $! }`;
      execFileSync("perl", ["-e", script], { cwd: root });
      execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--format=pax", "-cf", "../inner.tar", "."], {
        cwd: root,
      });
      execFileSync("mv", ["../inner.tar", "."], { cwd: root });
    });
    const inner = execFileSync("tar", ["-xOf", "-", "./inner.tar"], { input: tar, maxBuffer: 2 ** 30 });
    const made = layout.add("attributes", { layers: [lowest, inner], config: { Cmd: ["/bin/ls", "-ln", "/d"] } });
    const said = await outcome(at("attributes"));
    expect(said).toMatch(/-rwsr-xr-x 2 7 8 .* 2001 f\n-rwsr-xr-x 2 7 8 .* hard\n.*soft -> \/nowhere\/at\/all\n$/s);
    const top = join(dataFolder, "images/layers", made.layers[1]?.diffId.slice(7) ?? "", "fs/d");
    const listed = execFileSync("perl", ["-e", attributesOf, top, `${top}/f`], { encoding: "utf8" });
    expect(listed).toBe("user.kept");
  },
);

/** Names of all extended attributes of some paths. */
const attributesOf = `
  for my $path (@ARGV) { my $list = "\\0" x 4096; my $size = syscall(${process.arch === "arm64" ? 12 : 195}, $path, $list, 4096);
    print join ",", split /\\0/, substr($list, 0, $size) }`;

testOci(
  "credentials of a job reach its registry, and stand neither among arguments nor in what is kept of images",
  async () => {
    await agent();
    const password = "a-secret-that-nobody-sees";
    const seen: string[] = [];
    registry.lie = (_path, response, request) => {
      seen.push(...skopeoOf(dataFolder));
      const wanted = `Basic ${Buffer.from(`me:${password}`).toString("base64")}`;
      if (request.headers.authorization === wanted) return false;
      response.writeHead(401, { "www-authenticate": 'Basic realm="here"' });
      response.end("{}");
      return true;
    };
    expect(await outcome(at("good"), { auth: { username: "me", password } })).toBe("FINISHED: good");
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.join("\n")).not.toContain(password);
    const found = execFileSync("sh", [
      "-c",
      `grep -rlF "$1" "$2" || true`,
      "sh",
      Buffer.from(`me:${password}`).toString("base64"),
      `${dataFolder}/images`,
    ]);
    expect(found.toString()).toBe("");
    const authFile = join(folder, "auth.json");
    const auths = { [registry.address]: { auth: Buffer.from(`me:${password}`).toString("base64") } };
    writeFileSync(authFile, JSON.stringify({ auths }), { mode: 0o600 });
    expect(await outcome(at("good"), { force_pull: true })).toMatch(/does not let this agent have it/);
  },
);

testOci("layers are unpacked whether packed with gzip, with zstd or not at all", async () => {
  await agent();
  const zstd = (tar: Buffer): Buffer => execFileSync("zstd", ["-q", "-c"], { input: tar, maxBuffer: 2 ** 30 });
  for (const [tag, pack] of Object.entries({ zstd, plain: (tar: Buffer) => tar })) {
    layout.add(tag, { layers: [lowest, filesLayer({ file: tag })], config: { Cmd: ["/bin/cat", "/file"] }, pack });
    expect(await outcome(`oci:${layout.folder}:${tag}`)).toBe(`FINISHED: ${tag}`);
  }
});
