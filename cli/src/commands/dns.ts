import type { RecordType } from "dns-packet";
import { usageError } from "../cli-error.ts";
import type { CommandModule, Invocation } from "../command.ts";
import { masterAddresses, parseAddress } from "../connect/address.ts";
import { askDns } from "../connect/ask-dns.ts";
import { exitCode } from "../exit-codes.ts";
import { recordsTable, recordText } from "../output/dns-records.ts";

const types = ["A", "AAAA", "SRV", "SOA", "NS", "TXT", "PTR"] as const;
const masterPortDefault = 5_050;
const dnsPortDefault = 8_053;

export const run: CommandModule["run"] = async (invocation) => {
  const { args, options, out } = invocation;
  const server = dnsAddress(invocation);
  const domain = (options.text("domain") ?? "muster").replace(/^\.|\.$/g, "");
  const [given] = args;
  if (given === undefined) return listNames(invocation, server, domain);
  const name = fullName(given, domain);
  const type = recordType(options.text("type"), name);
  const { code, answers, additionals } = await askDns(server, name, type, options.flag("tcp"));
  const records = [...answers, ...additionals.filter((record) => record.type !== "OPT")];
  out.data({
    name,
    type,
    code,
    answers: records.map((record) => ({
      name: record.name,
      type: record.type,
      ttl: "ttl" in record ? (record.ttl ?? 0) : 0,
      data: recordText(record),
      ...(record.type === "SRV" ? { port: record.data.port, target: record.data.target } : {}),
    })),
  });
  if (answers.length === 0) {
    out.line(code === "NOERROR" ? `${name} has no ${type} records` : `${name}: ${code}`);
    out.next("muster job list");
    return exitCode.failed;
  }
  out.line(recordsTable(records));
  if (type === "A" && !name.startsWith("_")) out.next(`muster dns -t SRV _http._${given.split(".")[0]}._tcp`);
  return exitCode.done;
};

/** Flag, then MUSTER_DNS_ADDR, then the port beside the master's as `muster dev` lays them out. */
export function dnsAddress(invocation: Invocation): string {
  const text = invocation.options.text("server") ?? (invocation.environment["MUSTER_DNS_ADDR"] || undefined);
  if (text !== undefined) {
    if (!parseAddress(text)) throw usageError(`--server needs host:port, not "${text}"`, "--server 127.0.0.1:8053");
    return text;
  }
  const master = parseAddress(masterAddresses(invocation)[0] ?? "");
  const port = dnsPortDefault + (master?.port ?? masterPortDefault) - masterPortDefault;
  return `${master?.host ?? "127.0.0.1"}:${port > 0 && port < 65_536 ? port : dnsPortDefault}`;
}

/** `web` is a service, `_http._web._tcp` its SRV records; what ends in the domain is whole. */
export function fullName(given: string, domain: string): string {
  const name = given.toLowerCase().replace(/\.$/, "");
  if (name === domain || name.endsWith(`.${domain}`)) return name;
  return name.endsWith(".services") ? `${name}.${domain}` : `${name}.services.${domain}`;
}

function recordType(given: string | undefined, name: string): RecordType {
  if (given === undefined) return name.startsWith("_") ? "SRV" : "A";
  const type = types.find((known) => known === given.toUpperCase());
  if (type === undefined) throw usageError(`no record type "${given}"; there are ${types.join(", ")}`);
  return type;
}

/** Names of all tasks that can be found, from the cluster's tasks, each asked of the server itself. */
async function listNames(invocation: Invocation, server: string, domain: string): Promise<number> {
  const { out } = invocation;
  const { message, withClient } = await import("../connect/client.ts");
  const { table } = await import("../output/table.ts");
  const names = await withClient(invocation, async (client) => {
    const { tasks } = await client.call("Tasks.List", message("TasksListRequest"));
    const all = tasks.flatMap((task) => (task.discovery?.endpoints ?? []).map((endpoint) => endpoint.name));
    return [...new Set(all)].sort();
  });
  const rows: { name: string; addresses: string[] }[] = [];
  for (const service of names) {
    const name = fullName(service, domain);
    const { answers } = await askDns(server, name, "A");
    rows.push({ name, addresses: answers.filter((record) => record.type === "A").map(recordText) });
  }
  out.data(rows);
  if (rows.length === 0) out.line("no names: no task can be found");
  else
    out.line(
      table(
        ["NAME", "ADDRESSES"],
        rows.map(({ name, addresses }) => [name, addresses.join(" ") || "-"]),
      ),
    );
  if (rows[0]) out.next(`muster dns ${rows[0].name}`);
  return exitCode.done;
}
