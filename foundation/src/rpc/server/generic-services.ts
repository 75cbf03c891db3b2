import { EventEmitter } from "node:events";
import type { MethodDefinition } from "@grpc/grpc-js";
import { MusterError } from "../../errors/muster-error.ts";
import { messageHeadBytes } from "./message-reader.ts";
import type { ServerCall } from "./server-call.ts";

/** Takes over a call. */
export type Serve = (call: ServerCall) => void;

/** Where services of other makers, health and reflection, are added. As much of grpc-js's `Server` as they use. */
export interface ServiceRegistrar {
  addService(definition: Readonly<Record<string, unknown>>, implementation: Readonly<Record<string, unknown>>): void;
}

type Method = MethodDefinition<unknown, unknown> & { readonly originalName?: string };
interface Refusal {
  readonly code: number;
  readonly details: string;
}
type Answer = (error: Refusal | null, value?: unknown) => void;

/** A registrar that notes by the paths of their methods how calls are served. */
export function registrarInto(served: Map<string, Serve>): ServiceRegistrar {
  return {
    addService: (definition, implementation) => {
      for (const [name, method] of Object.entries(definition as Readonly<Record<string, Method>>)) {
        const work = implementation[name] ?? implementation[method.originalName ?? ""];
        if (typeof work === "function") served.set(method.path, serveGeneric(method, work as never));
      }
    },
  };
}

/** What such an implementation sees of a call. */
class GenericCall extends EventEmitter {
  request: unknown = undefined;
  readonly #call: ServerCall;
  readonly #serialize: (message: unknown) => Buffer;

  constructor(call: ServerCall, serialize: (message: unknown) => Buffer) {
    super();
    this.#call = call;
    this.#serialize = serialize;
  }

  write(message: unknown): boolean {
    this.#call.send(Buffer.concat([Buffer.alloc(messageHeadBytes), this.#serialize(message)]));
    return this.#call.ready();
  }

  end(): void {
    this.#call.end();
  }
}

function serveGeneric(method: Method, work: (call: GenericCall, answer?: Answer) => void): Serve {
  return (call) => {
    const generic = new GenericCall(call, method.responseSerialize);
    const answer: Answer = (error, value) => {
      if (error === null) generic.write(value);
      call.end(error === null ? undefined : refusalOf(error));
    };
    if (method.requestStream) work(generic);
    call.listen({
      message: (bytes) => {
        const message = method.requestDeserialize(bytes);
        if (method.requestStream) generic.emit("data", message);
        else if (generic.request === undefined) {
          generic.request = message;
          if (method.responseStream) work(generic);
          else work(generic, answer);
        }
      },
      drained: () => generic.emit("drain"),
      halfClosed: () => generic.emit("end"),
      over: () => generic.emit("cancelled"),
    });
  };
}

/** The only refusals of these services: something is not known, or there is too much of it. */
function refusalOf({ code, details }: Refusal): MusterError {
  return new MusterError(code === 5 ? "not-found" : code === 8 ? "too-many" : "internal", details);
}
