/** Bytes of an answer to Health/Check that are read; a right one has seven. */
export const frameBytesMax = 4_096;

const servingStatuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** HealthCheckRequest {service = 1} in a frame of gRPC: not compressed, length, message. */
export function encodeCheckRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = service === "" ? name : Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

/** The status of HealthCheckResponse {status = 1} in a frame, by name, or what is wrong with the frame. */
export function decodeServingStatus(frame: Buffer): string {
  if (frame.length < 5) return "the answer has no message";
  if (frame[0] !== 0) return "the answer is compressed";
  const message = frame.subarray(5, 5 + frame.readUInt32BE(1));
  // Proto3 leaves a zero out. The status has the only field number below 16 and is an enumeration of few values.
  let status = 0;
  for (let at = 0; at + 1 < message.length && message[at] === 0x08; at += 2) status = message[at + 1] ?? 0;
  return servingStatuses[status] ?? `serving status ${status}`;
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...bytes, rest];
    bytes.push((rest & 0x7f) | 0x80);
  }
}
