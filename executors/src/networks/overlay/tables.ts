import ipaddr from "ipaddr.js";
import { failedLines } from "../kernel/ip-batch.ts";
import { runToEnd, runTool } from "../kernel/run-tool.ts";
import {
  type Entries,
  type Entry,
  entriesBy,
  type RouteText,
  routeEntry,
  routeProtocol,
  type TableLines,
} from "./entries.ts";
import { hasTunnel, type OverlayPlan } from "./plan.ts";

/** Thousands of lines take a while where others use the kernel's lock, too. */
const batchTimeoutMs = 60_000;

/** What of the network is in the kernel's tables: routes of ours in its range, and what hangs on its device. */
export async function readTables(plan: OverlayPlan): Promise<Entries> {
  const { device, network } = plan;
  const isTunnel = hasTunnel(plan);
  const [routes, routes6, neighbours, forwards] = await Promise.all([
    readRoutes("-4", network.cidr),
    network.cidr6 === "" ? [] : readRoutes("-6", network.cidr6),
    isTunnel ? read<Neighbour>("ip", ["-j", "neigh", "show", "dev", device, "nud", "permanent"]) : [],
    isTunnel ? read<Forward>("bridge", ["-j", "fdb", "show", "dev", device]) : [],
  ]);
  return entriesBy([
    ...routes,
    ...routes6,
    ...neighbours.map(({ dst, lladdr = "" }): Entry => ({ table: "neighbour", key: dst, value: lladdr })),
    ...forwards
      .filter(({ dst }) => dst !== undefined)
      .map(({ mac, dst = "" }): Entry => ({ table: "forward", key: mac, value: dst })),
  ]);
}

interface Neighbour {
  readonly dst: string;
  readonly lladdr?: string;
}

interface Forward {
  readonly mac: string;
  readonly dst?: string;
}

async function readRoutes(family: "-4" | "-6", cidr: string): Promise<Entry[]> {
  const range = ipaddr.parseCIDR(cidr);
  const routes = await read<RouteText>("ip", ["-j", family, "route", "show", "proto", String(routeProtocol)]);
  return routes
    .filter(({ dst }) => {
      const [text = ""] = dst.split("/");
      return ipaddr.isValid(text) && ipaddr.parse(text).match(range);
    })
    .map(routeEntry);
}

async function read<T>(program: string, words: readonly string[]): Promise<T[]> {
  const text = await runTool(program, words, "", batchTimeoutMs);
  return text.trim() === "" ? [] : (JSON.parse(text) as T[]);
}

/** Runs the lines; what could not be added is thrown, what is gone already need not be removed. */
export async function writeTables({ first, forward, last }: TableLines): Promise<void> {
  const faults = [await run("ip", first), await run("bridge", forward), await run("ip", last)].flat();
  if (faults.length > 0)
    throw new Error(`${faults.length} entries of peers could not be made; the first: ${faults[0]}`);
}

async function run(program: string, lines: readonly string[]): Promise<string[]> {
  if (lines.length === 0) return [];
  const words = ["-force", "-batch", "-"];
  const { code, errors, fault } = await runToEnd(program, words, `${lines.join("\n")}\n`, batchTimeoutMs);
  if (fault !== undefined) return [fault];
  const failures = failedLines(errors);
  if (code !== 0 && failures.size === 0) return [`${program}: ${errors.trim() || `exit code ${code}`}`];
  return [...failures]
    .map(([number, reason]) => ({ line: lines[number - 1] ?? "", reason }))
    .filter(({ line }) => !/^\w+ del /.test(line))
    .map(({ line, reason }) => `${program} ${line}: ${reason}`);
}
