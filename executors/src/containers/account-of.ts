import { type Account, findAccount } from "../shim/accounts.ts";
import type { ProcContainer } from "../world/proc.ts";
import { containerAccount } from "./bundle.ts";
import { imageAccount } from "./image-account.ts";

/**
 * The account that a command runs under. Undefined: the agent's own, one that this host does not know, or one that an Engine
 * finds out. Throws if the files of its container know none of that name.
 */
export function accountOf(user: string, container: ProcContainer | undefined): Account | undefined {
  if (container?.engineImage) return undefined;
  if (container?.layers) return imageAccount(user, container.layers);
  if (container) return containerAccount(user, container.rootfs);
  return user === "" ? undefined : findAccount(user);
}
