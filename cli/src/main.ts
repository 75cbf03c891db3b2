// The program's first file. It imports next to nothing: what a command needs is loaded when the command is known.
import { version } from "./version.ts";

const [first, ...rest] = process.argv.slice(2);
const asksVersion = first === "version" || first === "--version" || first === "-V";

if (asksVersion && rest.length === 0) {
  process.stdout.write(`${version}\n`);
} else {
  const { run } = await import("./program.ts");
  // Streams and timers of what was begun must not keep the process: a command has ended when its work has.
  process.exit(await run(process.argv.slice(2)));
}
