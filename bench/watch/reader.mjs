// Takes one snapshot of the feed, without decoding more of it than is needed to see its end.
import { Client, credentials } from "@grpc/grpc-js";
import { clientOptions, methodDefinition } from "@muster/foundation";

const [address = ""] = process.argv.slice(2);
const { path, requestSerialize } = methodDefinition("Watch.Events");
const client = new Client(address, credentials.createInsecure(), clientOptions);
client.waitForReady(Date.now() + 10_000, (error) => {
  if (error) throw error;
  const beganMs = performance.now();
  let messages = 0;
  let bytes = 0;
  const call = client.makeServerStreamRequest(path, requestSerialize, (buffer) => buffer, {
    epoch: 0,
    sequence: 0,
    kinds: [],
  });
  call.on("data", (buffer) => {
    messages++;
    bytes += buffer.length;
    if (!isLast(buffer)) return;
    const milliseconds = performance.now() - beganMs;
    process.send({ messages, megabytes: Math.round(bytes / 1e5) / 10, milliseconds });
    call.cancel();
  });
  call.on("error", () => {});
});

/** Whether the part says so before its records begin: the reader must not be slower than the master. */
function isLast(buffer) {
  for (let at = 0; at < buffer.length; ) {
    const tag = buffer[at++];
    if (tag === 0x20) return buffer[at] === 1;
    // Only plain numbers stand before it.
    if ((tag & 7) !== 0) return false;
    while (buffer[at++] & 0x80);
  }
  return false;
}

process.on("disconnect", () => process.exit(0));
