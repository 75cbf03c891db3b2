import { readFileSync } from "node:fs";

/** What Docker's files call the registry that names without one mean. */
const hubNames = ["https://index.docker.io/v1/", "index.docker.io", "docker.io"];

/**
 * What an Engine is told of who asks a registry, as its header X-Registry-Auth has it; empty: nobody in particular. The
 * credentials of a task go before those of the agent's file.
 */
export function registryAuth(
  registry: string,
  credentials: { readonly username: string; readonly password: string } | undefined,
  authFile: string,
): string {
  const known = credentials ?? (authFile === "" ? undefined : fromFile(readFileSync(authFile, "utf8"), registry));
  if (!known) return "";
  return Buffer.from(JSON.stringify({ ...known, serveraddress: registry })).toString("base64url");
}

/** Name and password of a registry in a file as `docker login` writes it. Pure. */
export function fromFile(text: string, registry: string): { username: string; password: string } | undefined {
  const { auths = {} } = JSON.parse(text) as { auths?: Record<string, { auth?: string }> };
  const names = registry === "docker.io" ? hubNames : [registry, `https://${registry}`];
  const auth = names.map((name) => auths[name]?.auth).find((found) => found !== undefined);
  const [username, ...password] = Buffer.from(auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  return username ? { username, password: password.join(":") } : undefined;
}
