import type { MethodDefinition } from "@grpc/grpc-js";
import { methods } from "@muster/proto";
import { codecOf } from "./codec.ts";
import type { MethodName } from "./method.ts";

/** A method as grpc-js wants it, for servers and clients. */
export function methodDefinition(name: MethodName): MethodDefinition<unknown, unknown> {
  const { path, request, response, requestStream, responseStream } = methods[name];
  const up = codecOf(request);
  const down = codecOf(response);
  return {
    path,
    requestStream,
    responseStream,
    requestSerialize: (message) => up.encode(message as never),
    requestDeserialize: (bytes) => up.decode(bytes),
    responseSerialize: (message) => down.encode(message as never),
    responseDeserialize: (bytes) => down.decode(bytes),
  };
}

/** All methods of one service, by their names. */
export function methodsOfService(service: string): MethodName[] {
  return (Object.keys(methods) as MethodName[]).filter((name) => name.startsWith(`${service}.`));
}

/** Every service of the contract. */
export function serviceNames(): string[] {
  return [...new Set(Object.keys(methods).map((name) => name.split(".")[0] ?? ""))];
}
