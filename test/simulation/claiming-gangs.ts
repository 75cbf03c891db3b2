import { command, defineFramework, type Runtime, runFramework } from "@muster/framework-sdk";

/** Tasks of one gang. */
export const gangSize = 4;

/** Two gangs at a time that race for the same room: one ends, the next begins. */
export function claimingGangs(runtime: Runtime, address: string, runsForMs = 4_000): void {
  const gang = (name: string, cpuMillis: number) => ({
    name,
    resources: { cpuMillis, memoryMiB: 64 },
    run: command("work", ["for", String(runsForMs)]),
  });
  const definition = defineFramework({
    name: "gangs",
    roles: ["gangs"],
    strategy: "claims",
    reconcile({ tasks, placeTogether }) {
      const live = new Set(tasks.live().map(({ name }) => name));
      return [gang("small", 200), gang("large", 500)]
        .filter(({ name }) => !live.has(name))
        .map((template) => placeTogether(gangSize, template));
    },
  });
  runFramework(definition, { address, runtime });
}
