import type { Socket } from "node:net";

/** A connection on which no whole question arrived for so long is closed, however busily its bytes trickle in. */
export const idleMsDefault = 10_000;
/** Bytes of answers that a client may leave unread before it is cut off. */
const unreadBytesMax = 1024 * 1024;

/** Questions behind their lengths, any number at a time; answers in the same order. */
export function serveConnection(
  socket: Socket,
  answer: (packet: Uint8Array) => Uint8Array | undefined,
  idleMs = idleMsDefault,
): void {
  let pending = Buffer.alloc(0);
  const hangUp = (): void => {
    socket.destroy();
  };
  let idle = setTimeout(hangUp, idleMs);
  socket.setNoDelay(true);
  socket.on("error", hangUp);
  socket.on("close", () => clearTimeout(idle));
  socket.on("data", (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const answers: Uint8Array[] = [];
    let at = 0;
    while (pending.length - at >= 2) {
      const end = at + 2 + pending.readUInt16BE(at);
      if (end > pending.length) break;
      const reply = answer(pending.subarray(at + 2, end));
      if (reply) answers.push(Buffer.from([reply.length >> 8, reply.length & 0xff]), reply);
      at = end;
    }
    if (at === 0) return;
    pending = Buffer.from(pending.subarray(at));
    clearTimeout(idle);
    idle = setTimeout(hangUp, idleMs);
    if (answers.length > 0) socket.write(Buffer.concat(answers));
    if (socket.writableLength > unreadBytesMax) hangUp();
  });
}
