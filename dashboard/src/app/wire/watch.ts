import { create, createFileRegistry, type DescMethod, fromBinary, type Message } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import type { Transport } from "@connectrpc/connect";
import type { EventsResponse } from "@muster/proto";
import { plain } from "./plain.ts";

/** Where a reader stopped; epoch 0 asks for a snapshot. */
export interface Place {
  readonly epoch: number;
  readonly sequence: number;
}

/** Opens a watch from a place on. Ends or throws when the connection does. */
export type OpenWatch = (place: Place, signal: AbortSignal) => AsyncIterable<EventsResponse>;

/** @param descriptors a serialized set of file descriptors that holds `muster.v1.Watch` */
export function watchOver(transport: Transport, descriptors: Uint8Array): OpenWatch {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptors));
  const method = registry.getService("muster.v1.Watch")?.method["events"];
  if (method?.methodKind !== "server_streaming") throw new Error("the contract has no Watch.Events");
  return (place, signal) => read(transport, method, place, signal);
}

async function* read(
  transport: Transport,
  method: DescMethod,
  place: Place,
  signal: AbortSignal,
): AsyncIterable<EventsResponse> {
  const request = create(method.input, { epoch: BigInt(place.epoch), sequence: BigInt(place.sequence) });
  async function* requests() {
    yield request;
  }
  // Read at run time, the method says nothing of its messages to the compiler; its kind was looked at above.
  const answer = await transport.stream(method as never, signal, undefined, undefined, requests() as never);
  for await (const message of answer.message)
    yield plain(method.output, message as Message) as unknown as EventsResponse;
}
