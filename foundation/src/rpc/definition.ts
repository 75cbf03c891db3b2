import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { fromJSON, type PackageDefinition } from "@grpc/proto-loader";
import { contractJson, loaderOptions, methods } from "@muster/proto";
import { codecOf } from "./codec.ts";
import type { MethodName } from "./method.ts";

/** Services whose messages are many: they are coded by protobufjs's own types, the others by proto-loader. */
const hotServices: ReadonlySet<string> = new Set(["Scheduling", "Agents", "Watch"]);

let loaded: PackageDefinition | undefined;

/** The contract as proto-loader sees it, read once at first use. Reflection needs it too. */
export function contractPackage(): PackageDefinition {
  loaded ??= fromJSON(JSON.parse(contractJson), loaderOptions);
  return loaded;
}

/** A method as grpc-js wants it, for servers and clients. */
export function methodDefinition(name: MethodName): MethodDefinition<unknown, unknown> {
  const [service = "", method = ""] = name.split(".");
  if (!hotServices.has(service)) {
    const definition = contractPackage()[`muster.v1.${service}`] as ServiceDefinition;
    return definition[method] as MethodDefinition<unknown, unknown>;
  }
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
