/** What the normaliser must know of the commands: their flags, without dashes. */
export interface KnownFlags {
  readonly long: ReadonlySet<string>;
  readonly short: ReadonlySet<string>;
  /** Long or short flags that take a value. */
  readonly valued: ReadonlySet<string>;
}

/**
 * Makes one spelling of what people type: `-var` becomes `--var` (Nomad's way), and what follows the name in
 * `job exec NAME command …` or `task exec` is set off by `--`, so that the command's own flags stay its own. O(arguments).
 */
export function normaliseArgv(argv: readonly string[], known: KnownFlags): string[] {
  const end = argv.indexOf("--");
  const ours = end < 0 ? argv : argv.slice(0, end);
  const rest = end < 0 ? [] : argv.slice(end);
  if (end >= 0) return [...ours.map((token) => doubleDash(token, known)), ...rest];
  const commandAt = execCommandAt(ours, known);
  if (commandAt === undefined) return ours.map((token) => doubleDash(token, known));
  return [...ours.slice(0, commandAt).map((token) => doubleDash(token, known)), "--", ...ours.slice(commandAt)];
}

function doubleDash(token: string, known: KnownFlags): string {
  const flag = /^-([A-Za-z][A-Za-z0-9-]+)(=.*)?$/s.exec(token);
  if (!flag) return token;
  const name = flag[1] ?? "";
  // `-fn` may stand for `-f -n`; a long flag of that name goes first.
  if (!known.long.has(name) && [...name].every((letter) => known.short.has(letter))) return token;
  return `-${token}`;
}

/** Index of the first word of the command in `job exec NAME command` or `task exec TASK command`, if it is one. */
function execCommandAt(argv: readonly string[], known: KnownFlags): number | undefined {
  const words: { text: string; at: number }[] = [];
  for (let at = 0; at < argv.length; at++) {
    const token = argv[at] ?? "";
    if (!token.startsWith("-") || token === "-") {
      words.push({ text: token, at });
      if (words.length === 4) break;
      continue;
    }
    if (!token.includes("=") && known.valued.has(token.replace(/^-+/, ""))) at++;
  }
  const noun = words[0]?.text;
  if ((noun !== "job" && noun !== "task") || words[1]?.text !== "exec") return undefined;
  return words[3]?.at;
}
