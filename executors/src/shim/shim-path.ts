import { fileURLToPath } from "node:url";

/** The program that is the parent of one task. */
export const shimPath = fileURLToPath(new URL("../../shim/shim.pl", import.meta.url));
