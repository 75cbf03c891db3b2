/** HTTP/2 pings find a dead peer on an idle connection; they cost a tenth of a message of our own. */
export const keepalive = { intervalMs: 20_000, timeoutMs: 10_000 } as const;
