export type { CommandSpec } from "./command.ts";
export { commandSpecs } from "./commands/index.ts";
export { exitCode } from "./exit-codes.ts";
export { run } from "./program.ts";
