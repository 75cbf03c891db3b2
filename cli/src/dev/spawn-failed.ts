/** Why a process could not be made, in words. */
export function spawnFailed(error: NodeJS.ErrnoException): string {
  if (error.code === "EAGAIN") return "the machine allows no more processes (see ulimit -u)";
  if (error.code === "ENOMEM") return "no memory is left for another process";
  return error.message;
}
