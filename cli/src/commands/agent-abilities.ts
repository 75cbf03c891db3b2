import type { AgentRecord } from "@muster/proto";

/** A driver or a network mode of an agent, and what would mend it where it does not work. */
export interface Ability {
  readonly kind: string;
  readonly name: string;
  readonly works: boolean;
  /** Why not; empty if it works. */
  readonly reason: string;
  /** A command to type on the agent's machine; empty if there is none. */
  readonly mend: string;
}

/** Programs with which machines are mended: what begins with one of them is a command. */
const command = /(?:^|[:;,] )((?:sudo |apt-get |dnf |modprobe |sysctl |systemctl |mount |usermod ).+)$/;

/** What an agent can do and what it lacks, in order of kinds, with what works first. */
export function abilitiesOf({ drivers, networkModes, unavailable }: AgentRecord): Ability[] {
  const works =
    (kind: string) =>
    (name: string): Ability => ({ kind, name, works: true, reason: "", mend: "" });
  const lacking = unavailable.map(lackOf);
  const found = [...drivers.map(works("driver")), ...networkModes.map(works("network"))];
  const kinds = new Set([...found, ...lacking].map(({ kind }) => kind));
  return [...kinds].flatMap((kind) => [...found, ...lacking].filter((ability) => ability.kind === kind));
}

/** "driver/exec: crun was not found: apt-get install crun" in its parts. */
function lackOf(text: string): Ability {
  const colon = text.indexOf(": ");
  const whole = colon < 0 ? text : text.slice(0, colon);
  const slash = whole.indexOf("/");
  const why = colon < 0 ? "" : text.slice(colon + 2);
  const mend = command.exec(why)?.[1] ?? "";
  return {
    kind: slash < 0 ? "other" : whole.slice(0, slash),
    name: whole.slice(slash + 1),
    works: false,
    reason: mend === "" ? why : why.slice(0, why.length - mend.length).replace(/[:;, ]+$/, ""),
    mend,
  };
}
