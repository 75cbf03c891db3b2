import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import { AddressRules } from "./addresses.ts";
import { FetchFailure, failureOf } from "./fetch-failure.ts";
import { fetchItem } from "./fetch-item.ts";
import type { FetchedItem, FetchNews, FetchOrder } from "./fetch-order.ts";

/**
 * The program that fetches what a task is to have: a process of its own, under an account that owns nothing, since what it
 * reads comes from anywhere. Its order comes in one line; when the other end of its input is gone, so is the agent.
 */
function say(news: FetchNews): void {
  process.stdout.write(`${JSON.stringify(news)}\n`);
}

/** It leads its group of processes, and everything it has started is in it. */
function endAll(): void {
  process.kill(-process.pid, "SIGKILL");
}

function becomeNobody({ account }: FetchOrder): void {
  if (account === undefined) return;
  process.setgroups?.([]);
  process.setgid?.(account);
  process.setuid?.(account);
}

async function fetchAll(order: FetchOrder): Promise<void> {
  becomeNobody(order);
  process.umask(0o022);
  const around = { order, rules: new AddressRules(order.allowedNetworks) };
  const items: FetchedItem[] = [];
  for (const [at, item] of order.items.entries()) {
    say({ type: "progress", message: `fetching ${item.shown}` });
    const folder = String(at);
    await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    try {
      items.push(await fetchItem(item, folder, around));
    } catch (error) {
      throw new FetchFailure(`${item.shown}: ${failureOf(error).message}`);
    }
  }
  say({ type: "done", items });
}

const input = createInterface({ input: process.stdin });
input.once("line", (line) => {
  fetchAll(JSON.parse(line) as FetchOrder).catch((error: Error) => say({ type: "failed", message: error.message }));
});
input.once("close", endAll);
