import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DevCluster, until } from "./dev-cluster.ts";

const cluster = new DevCluster(4_600);

interface Volumes {
  readonly volumes: readonly { instance: string; id: string; agent: string; sizeMiB: number; state: string }[];
}

beforeAll(async () => {
  await cluster.start("--no-example", "--agents", "2");
});
afterAll(() => cluster.remove());

interface Wish {
  readonly name: string;
  readonly count: number;
  /** Blocks of the group, and of the task. */
  readonly group: string;
  readonly task?: string;
  /** What each instance does in the shell before it waits. */
  readonly command: string;
}

/** The name of the file of a job whose instances write, and then wait. */
function writer({ name, count, group, task = "", command }: Wish): string {
  const text = `job "${name}" {
  group "${name}" {
    count = ${count}
    ${group}
    task "write" {
      driver = "process"
      ${task}
      config {
        command = "sh"
        args    = ["-c", "${command}; exec sleep 3600"]
      }
      resources {
        cpu    = 10
        memory = 32
      }
    }
    update {
      min_healthy_time = "0s"
    }
  }
}
`;
  writeFileSync(join(cluster.folder, `${name}.hcl`), text);
  return `${name}.hcl`;
}

/** Each instance writes its number and the version of its job into its volume. */
const db = (count: number, version: number): string =>
  writer({
    ...{ name: "db", count, group: 'volume "data" {\n type = "muster"\n size = 20\n }' },
    task: 'volume_mount {\n volume = "data"\n destination = "/data"\n }',
    command: `echo $MUSTER_ALLOC_INDEX v${version} >> data/starts`,
  });

async function muster(...words: string[]): Promise<void> {
  const { code, stdout, stderr } = await cluster.muster(...words);
  expect(code, `${words.join(" ")}: ${stdout}${stderr}`).toBe(0);
}

/** Folders of volumes on the agents' disks, by id, with what instances have written there. */
function onDisk(): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of readdirSync(cluster.data, { recursive: true, encoding: "utf8" })) {
    const [, id] = /\/volumes\/([^/]+)\/starts$/.exec(entry) ?? [];
    if (id !== undefined) found.set(id, readFileSync(join(cluster.data, entry), "utf8"));
  }
  return found;
}

const volumes = async () => (await cluster.json<Volumes>("job", "status", "db")).volumes;

test("what instances write into their volumes is there after an update, a scaling and a stop, and gone after a wipe", async () => {
  await muster("job", "run", db(2, 1));
  const made = await volumes();
  expect(made.map(({ instance, sizeMiB, state }) => `${instance} ${sizeMiB} ${state}`)).toEqual([
    "db.db.0 20 used",
    "db.db.1 20 used",
  ]);
  expect(new Set(made.map(({ agent }) => agent)).size).toBe(2);
  await muster("job", "run", db(2, 2));
  await muster("job", "scale", "db=1");
  await until("one has ended", 60_000, async () => (await volumes()).some(({ state }) => state === "kept"));
  await muster("job", "scale", "db=2");
  await muster("job", "stop", "--yes", "db");
  expect((await volumes()).map(({ id, state }) => [id, state])).toEqual(made.map(({ id }) => [id, "kept"]));
  await muster("job", "run", db(2, 3));
  await until("all have written", 60_000, () =>
    Promise.resolve([...onDisk().values()].every((text) => text.includes("v3"))),
  );
  expect((await volumes()).map(({ id, agent }) => [id, agent])).toEqual(made.map(({ id, agent }) => [id, agent]));
  const [first = "", second = ""] = made.map(({ id }) => onDisk().get(id) ?? "");
  expect(first).toMatch(/^0 v1\n0 v2\n(0 v2\n)?0 v3\n$/);
  expect(second).toMatch(/^1 v1\n1 v2\n(1 v2\n)?1 v3\n$/);
  // One of the two was stopped and started once more in between.
  expect(`${first}${second}`.split("\n").filter((line) => line !== "")).toHaveLength(7);

  await muster("job", "stop", "--yes", "--wipe", "db");
  await until("nothing is left", 60_000, async () => {
    const { reservations } = await cluster.json<{ reservations: unknown[] }>("reservation", "list");
    return reservations.length === 0 && onDisk().size === 0;
  });
  expect(await volumes()).toEqual([]);
}, 300_000);

test("an instance with a sticky disk finds the files of the one before it, on the same agent", async () => {
  const cache = (version: number): string =>
    writer({
      ...{ name: "cache", count: 2, group: "ephemeral_disk {\n size = 20\n sticky = true\n }" },
      command: `for d in local $MUSTER_ALLOC_DIR; do echo $MUSTER_ALLOC_INDEX v${version} >> $d/starts; done`,
    });
  await muster("job", "run", cache(1));
  const agents = async () => (await cluster.job("cache")).instances.map(({ agent }) => agent);
  const before = await agents();
  await muster("job", "run", cache(2));
  expect(await agents()).toEqual(before);
  for (const { id } of (await cluster.job("cache")).instances) {
    const words = ["-c", "cat local/starts $MUSTER_ALLOC_DIR/starts"];
    const { stdout } = await cluster.muster("task", "exec", id, "--", "sh", ...words);
    const index = id.split(".")[2];
    expect(stdout).toBe(`${index} v1\n${index} v2\n`.repeat(2));
  }
}, 300_000);

test("with migrate an instance that leaves a drained agent finds its files on the other", async () => {
  const file = writer({
    ...{ name: "moving", count: 1, group: "ephemeral_disk {\n size = 20\n sticky = true\n migrate = true\n }" },
    command: "for d in local $MUSTER_ALLOC_DIR; do echo started >> $d/starts; done",
  });
  await muster("job", "run", file);
  const now = async () => (await cluster.job("moving")).instances.filter(({ pid }) => pid > 0);
  const [before] = await now();
  if (!before) throw new Error("it runs");
  await muster("agent", "drain", before.agent, "--yes", "--deadline", "5m");
  let after = before;
  await until("it runs on the other agent", 120_000, async () => {
    const [one] = await now();
    if (one) after = one;
    return after.agent !== before.agent;
  });
  const words = ["-c", "cat local/starts $MUSTER_ALLOC_DIR/starts"];
  const { stdout } = await cluster.muster("task", "exec", after.id, "--", "sh", ...words);
  expect(stdout).toBe("started\n".repeat(4));
}, 300_000);
