import { accessSync, constants } from "node:fs";
import { join } from "node:path";

/** What this machine lacks, in one line each: the effect, and what to install. */
export function describeLacks(environment: Readonly<Record<string, string | undefined>>, uid: number): string[] {
  const lacks: string[] = [];
  if (uid !== 0)
    lacks.push(
      "not root: tasks run as you, drivers exec and oci and network modes other than host are off (sudo npm start)",
    );
  const has = (name: string): boolean =>
    (environment["PATH"] ?? "").split(":").some((folder) => folder !== "" && isExecutable(join(folder, name)));
  if (!has("crun") && !has("runc"))
    lacks.push("no crun or runc: drivers exec and oci are off, process is on (Debian: apt-get install crun)");
  if (!has("skopeo")) lacks.push("no skopeo: driver oci is off (Debian: apt-get install skopeo)");
  if (uid === 0 && !(has("nft") && has("ip")))
    lacks.push("no nft or ip: network mode bridge is off (Debian: apt-get install nftables iproute2)");
  if (!cniFolders.some((folder) => isExecutable(join(folder, "bridge"))))
    lacks.push("no CNI plugins: cni networks are off (Debian: apt-get install containernetworking-plugins)");
  if (!has("perl")) lacks.push("no perl: no task can run (Debian: apt-get install perl)");
  return lacks;
}

const cniFolders = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** First port that the kernel itself gives out. */
export function ephemeralPortFirst(range: string): number {
  const first = Number(range.trim().split(/\s+/)[0]);
  return Number.isInteger(first) && first > 0 ? first : 32_768;
}
