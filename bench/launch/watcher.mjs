// One reader of the whole feed. It counts messages and bytes without decoding them: what is measured is the master.

import { Client, credentials } from "@grpc/grpc-js";
import { clientOptions, methodDefinition } from "@muster/foundation";

const [address = ""] = process.argv.slice(2);
const { path, requestSerialize } = methodDefinition("Watch.Events");
const client = new Client(address, credentials.createInsecure(), clientOptions);
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
});
call.on("error", (error) => {
  process.stderr.write(`watch: ${error.message}\n`);
  process.exit(1);
});
process.on("message", (what) => {
  if (what === "counts") process.send({ messages, bytes });
});
process.on("disconnect", () => process.exit(0));
