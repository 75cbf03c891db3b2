import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import protobuf from "protobufjs/light.js";
import { type ErrorKind, MusterError } from "./muster-error.ts";

const codes: Readonly<Record<ErrorKind, status>> = {
  invalid: status.INVALID_ARGUMENT,
  unauthenticated: status.UNAUTHENTICATED,
  forbidden: status.PERMISSION_DENIED,
  "not-found": status.NOT_FOUND,
  exists: status.ALREADY_EXISTS,
  stale: status.ABORTED,
  "offer-gone": status.FAILED_PRECONDITION,
  "wrong-state": status.FAILED_PRECONDITION,
  "over-quota": status.RESOURCE_EXHAUSTED,
  "too-many": status.RESOURCE_EXHAUSTED,
  "slow-reader": status.RESOURCE_EXHAUSTED,
  "not-leader": status.UNAVAILABLE,
  unavailable: status.UNAVAILABLE,
  "too-late": status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unsupported: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
};

const kinds: ReadonlyMap<status, ErrorKind> = new Map([
  [status.INVALID_ARGUMENT, "invalid"],
  [status.OUT_OF_RANGE, "invalid"],
  [status.UNAUTHENTICATED, "unauthenticated"],
  [status.PERMISSION_DENIED, "forbidden"],
  [status.NOT_FOUND, "not-found"],
  [status.ALREADY_EXISTS, "exists"],
  [status.ABORTED, "stale"],
  [status.FAILED_PRECONDITION, "wrong-state"],
  [status.RESOURCE_EXHAUSTED, "too-many"],
  [status.UNAVAILABLE, "unavailable"],
  [status.DEADLINE_EXCEEDED, "too-late"],
  [status.CANCELLED, "cancelled"],
  [status.UNIMPLEMENTED, "unsupported"],
]);

// The messages of google.rpc that carry details, written out since no package of ours holds their .proto files.
const rpc = protobuf.Root.fromJSON({
  nested: {
    Any: { fields: { typeUrl: { type: "string", id: 1 }, value: { type: "bytes", id: 2 } } },
    Status: {
      fields: {
        code: { type: "int32", id: 1 },
        message: { type: "string", id: 2 },
        details: { rule: "repeated", type: "Any", id: 3 },
      },
    },
    Violation: { fields: { field: { type: "string", id: 1 }, description: { type: "string", id: 2 } } },
    BadRequest: { fields: { fieldViolations: { rule: "repeated", type: "Violation", id: 1 } } },
    ErrorInfo: {
      fields: {
        reason: { type: "string", id: 1 },
        domain: { type: "string", id: 2 },
        metadata: { keyType: "string", type: "string", id: 3 } as protobuf.IMapField,
      },
    },
    Duration: { fields: { seconds: { type: "int64", id: 1 }, nanos: { type: "int32", id: 2 } } },
    RetryInfo: { fields: { retryDelay: { type: "Duration", id: 1 } } },
  },
});
const statusType = rpc.lookupType("Status");
const badRequestType = rpc.lookupType("BadRequest");
const errorInfoType = rpc.lookupType("ErrorInfo");
const retryInfoType = rpc.lookupType("RetryInfo");
const detailsKey = "grpc-status-details-bin";
const errorDomain = "muster";

/** Bytes of a status message on the wire; more would meet the limit on headers. */
const messageBytesMax = 4_096;

/** The error as a gRPC status; kind, field and retry travel as google.rpc details. */
export function toGrpcStatus(error: MusterError): { code: status; details: string; metadata: Metadata } {
  const code = codes[error.kind];
  const message = error.message.slice(0, messageBytesMax);
  const any = (type: protobuf.Type, value: object) => ({
    typeUrl: `type.googleapis.com/google.rpc.${type.name}`,
    value: type.encode(value as protobuf.Message).finish(),
  });
  const facts = error.leader === undefined ? {} : { metadata: { leader: error.leader } };
  const details = [any(errorInfoType, { reason: error.kind, domain: errorDomain, ...facts })];
  if (error.field !== undefined)
    details.push(any(badRequestType, { fieldViolations: [{ field: error.field, description: message }] }));
  if (error.retryAfterMs !== undefined) {
    const seconds = Math.floor(error.retryAfterMs / 1000);
    details.push(any(retryInfoType, { retryDelay: { seconds, nanos: (error.retryAfterMs % 1000) * 1e6 } }));
  }
  const metadata = new Metadata();
  metadata.set(detailsKey, Buffer.from(statusType.encode({ code, message, details } as never).finish()));
  return { code, details: message, metadata };
}

interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** What a gRPC call failed with, as one of our errors; the original is its cause. */
export function fromGrpcStatus(error: ServiceError | (Error & { code?: number })): MusterError {
  const service = error as Partial<ServiceError>;
  let kind = kinds.get(service.code ?? status.UNKNOWN) ?? "internal";
  let field: string | undefined;
  let retryAfterMs: number | undefined;
  let leader: string | undefined;
  for (const { typeUrl, value } of readDetails(service.metadata)) {
    if (typeUrl.endsWith(".ErrorInfo")) {
      const info = errorInfoType.decode(value) as unknown as ErrorInfo;
      if (info.domain !== errorDomain) continue;
      if (info.reason in codes) kind = info.reason as ErrorKind;
      leader = info.metadata["leader"];
    } else if (typeUrl.endsWith(".BadRequest")) {
      const request = badRequestType.decode(value) as unknown as { fieldViolations: { field: string }[] };
      field = request.fieldViolations[0]?.field;
    } else if (typeUrl.endsWith(".RetryInfo")) {
      const retry = retryInfoType.decode(value) as unknown as { retryDelay: { seconds: number; nanos: number } | null };
      if (retry.retryDelay) retryAfterMs = Number(retry.retryDelay.seconds) * 1000 + retry.retryDelay.nanos / 1e6;
    }
  }
  return new MusterError(kind, service.details || error.message, {
    ...(field === undefined ? {} : { field }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(leader === undefined ? {} : { leader }),
    cause: error,
  });
}

function readDetails(metadata: Metadata | undefined): { typeUrl: string; value: Uint8Array }[] {
  const [bytes] = metadata?.get(detailsKey) ?? [];
  if (!Buffer.isBuffer(bytes)) return [];
  try {
    return (statusType.decode(bytes) as unknown as { details: { typeUrl: string; value: Uint8Array }[] }).details;
  } catch {
    // Details of a server that is not ours: the status itself still holds.
    return [];
  }
}
