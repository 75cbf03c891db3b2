import { readFileSync } from "node:fs";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { invalid } from "@muster/foundation";

/** Where a cluster's data is in etcd, and how its members are reached. */
export interface EtcdSettings {
  /** "host:port" of members, tried in turn. */
  readonly endpoints: readonly string[];
  /** What every key begins with, ending in a slash: several clusters of Muster may share one etcd. */
  readonly root: string;
  readonly credentials: ChannelCredentials;
  /** Absent: etcd asks nobody who they are, or knows it from the certificate. */
  readonly user?: { readonly name: string; readonly password: string };
  /** After so long without an answer from etcd another master may lead. */
  readonly leaseSeconds: number;
}

/** As an operator gives them: paths of files, empty for none. */
export interface EtcdOptions {
  /** "etcd://host:port,host:port/root", or "etcds://" for TLS. */
  readonly url: string;
  /** PEM file of the authorities that etcd's certificates are checked by; the system's if empty. */
  readonly caFile: string;
  /** PEM files by which etcd knows us. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly user: string;
  /** File whose first line is the password. */
  readonly passwordFile: string;
  readonly leaseSeconds: number;
}

const portDefault = 2_379;
const rootDefault = "muster";
const form = /^(etcds?):\/\/([^/\s]+)(?:\/([A-Za-z0-9._/-]*))?$/;

export function isEtcdUrl(text: string): boolean {
  return /^etcds?:\/\//.test(text);
}

/** Reads the files that are named. @throws MusterError `invalid`, with the name of the setting. */
export function etcdSettings(options: EtcdOptions): EtcdSettings {
  const found = form.exec(options.url);
  if (!found) throw invalid("store", `needs etcd://host:${portDefault},host:${portDefault}/root, not "${options.url}"`);
  const [, scheme, hosts = "", path = ""] = found;
  const endpoints = hosts.split(",").map((host) => endpointOf(host));
  const root = `/${path.replace(/^\/+|\/+$/g, "") || rootDefault}/`;
  const isSecure = scheme === "etcds";
  for (const [name, file] of [
    ["etcdCa", options.caFile],
    ["etcdCert", options.certFile],
    ["etcdKey", options.keyFile],
  ] as const)
    if (file !== "" && !isSecure) throw invalid(name, "is for etcds://, which speaks TLS; the store is etcd://");
  if ((options.certFile === "") !== (options.keyFile === ""))
    throw invalid("etcdCert", "needs etcdKey beside it, and the other way round");
  if ((options.user === "") !== (options.passwordFile === ""))
    throw invalid("etcdUser", "needs etcdPasswordFile beside it, and the other way round");
  const settings = {
    endpoints,
    root,
    leaseSeconds: options.leaseSeconds,
    credentials: isSecure
      ? credentials.createSsl(
          fileOf("etcdCa", options.caFile),
          fileOf("etcdKey", options.keyFile),
          fileOf("etcdCert", options.certFile),
        )
      : credentials.createInsecure(),
  };
  if (options.user === "") return settings;
  const password = fileOf("etcdPasswordFile", options.passwordFile)?.toString("utf8").split("\n")[0]?.trimEnd() ?? "";
  return { ...settings, user: { name: options.user, password } };
}

function endpointOf(host: string): string {
  const found = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(host);
  const port = Number(found?.[2] ?? portDefault);
  if (!found || port < 1 || port > 65_535) throw invalid("store", `"${host}" is no host:port of a member of etcd`);
  return `${found[1]}:${port}`;
}

function fileOf(name: string, path: string): Buffer | null {
  if (path === "") return null;
  try {
    return readFileSync(path);
  } catch (error) {
    throw invalid(name, `can't read ${path}: ${(error as Error).message}`);
  }
}
