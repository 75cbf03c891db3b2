/** What root may do in a container by default: the list that Docker made common, without raw sockets, device nodes and the audit log. */
const rootDefaults =
  "CHOWN DAC_OVERRIDE FSETID FOWNER SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL".split(" ");

/** What a job may ask for beside them: none of these gives power over the host. */
const grantable: ReadonlySet<string> = new Set([...rootDefaults, "NET_RAW", "MKNOD", "AUDIT_WRITE"]);

export interface CapabilityWish {
  /** For instance "net_raw" or "CAP_NET_RAW"; "all" means all that may be asked for. */
  readonly added: readonly string[];
  /** "all" leaves none but those added. */
  readonly dropped: readonly string[];
}

/** Names as the kernel writes them, for an account of that number. Pure. */
export function capabilitiesOf({ added, dropped }: CapabilityWish, uid: number): string[] {
  const held = new Set(uid === 0 ? rootDefaults : []);
  const less = dropped.map(plainName);
  if (less.includes("ALL")) held.clear();
  for (const name of less) held.delete(name);
  for (const name of added.map(plainName)) {
    if (name === "ALL") for (const one of grantable) held.add(one);
    else held.add(name);
  }
  return [...held].map((name) => `CAP_${name}`).sort();
}

/** The first that can't be asked for; undefined: none. Pure. */
export function refusedCapability(added: readonly string[]): string | undefined {
  return added.find((name) => plainName(name) !== "ALL" && !grantable.has(plainName(name)));
}

export const grantableCapabilities: readonly string[] = [...grantable].map((name) => name.toLowerCase()).sort();

function plainName(name: string): string {
  return name.toUpperCase().replace(/^CAP_/, "");
}
