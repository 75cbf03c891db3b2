import protobuf from "protobufjs";

// What Muster uses of etcd's API, version 3 (package etcdserverpb), written out since no package of ours holds its .proto
// files. Numbers of the fields are those of etcd; fields that nobody here reads are left out and skipped.
const id = (type: string, number: number) => ({ type, id: number });
const many = (type: string, number: number) => ({ rule: "repeated", type, id: number });

const root = protobuf.Root.fromJSON({
  nested: {
    Header: { fields: { revision: id("int64", 3) } },
    KeyValue: {
      fields: {
        key: id("bytes", 1),
        createRevision: id("int64", 2),
        modRevision: id("int64", 3),
        version: id("int64", 4),
        value: id("bytes", 5),
      },
    },
    RangeRequest: {
      fields: {
        key: id("bytes", 1),
        rangeEnd: id("bytes", 2),
        limit: id("int64", 3),
        revision: id("int64", 4),
        sortOrder: id("int32", 5),
        sortTarget: id("int32", 6),
        keysOnly: id("bool", 8),
        countOnly: id("bool", 9),
      },
    },
    RangeResponse: { fields: { header: id("Header", 1), kvs: many("KeyValue", 2), more: id("bool", 3) } },
    PutRequest: {
      fields: { key: id("bytes", 1), value: id("bytes", 2), lease: id("int64", 3), prevKv: id("bool", 4) },
    },
    PutResponse: { fields: { prevKv: id("KeyValue", 2) } },
    DeleteRequest: { fields: { key: id("bytes", 1) } },
    DeleteResponse: { fields: { deleted: id("int64", 2) } },
    Compare: {
      oneofs: { union: { oneof: ["version", "createRevision", "modRevision"] } },
      fields: {
        result: id("int32", 1),
        target: id("int32", 2),
        key: id("bytes", 3),
        version: id("int64", 4),
        createRevision: id("int64", 5),
        modRevision: id("int64", 6),
      },
    },
    RequestOp: {
      oneofs: { request: { oneof: ["range", "put", "delete"] } },
      fields: { range: id("RangeRequest", 1), put: id("PutRequest", 2), delete: id("DeleteRequest", 3) },
    },
    ResponseOp: {
      oneofs: { response: { oneof: ["range", "put", "delete"] } },
      fields: { range: id("RangeResponse", 1), put: id("PutResponse", 2), delete: id("DeleteResponse", 3) },
    },
    TxnRequest: {
      fields: { compare: many("Compare", 1), success: many("RequestOp", 2), failure: many("RequestOp", 3) },
    },
    TxnResponse: {
      fields: { header: id("Header", 1), succeeded: id("bool", 2), responses: many("ResponseOp", 3) },
    },
    WatchCreate: { fields: { key: id("bytes", 1), rangeEnd: id("bytes", 2), startRevision: id("int64", 3) } },
    WatchRequest: { fields: { create: id("WatchCreate", 1) } },
    Event: { fields: { type: id("int32", 1), kv: id("KeyValue", 2) } },
    WatchResponse: {
      fields: {
        header: id("Header", 1),
        canceled: id("bool", 4),
        compactRevision: id("int64", 5),
        cancelReason: id("string", 6),
        events: many("Event", 11),
      },
    },
    LeaseGrantRequest: { fields: { ttl: id("int64", 1), id: id("int64", 2) } },
    LeaseGrantResponse: { fields: { header: id("Header", 1), ttl: id("int64", 3) } },
    LeaseRevokeRequest: { fields: { id: id("int64", 1) } },
    LeaseRevokeResponse: { fields: { header: id("Header", 1) } },
    LeaseKeepAliveRequest: { fields: { id: id("int64", 1) } },
    LeaseKeepAliveResponse: { fields: { header: id("Header", 1), ttl: id("int64", 3) } },
    AuthenticateRequest: { fields: { name: id("string", 1), password: id("string", 2) } },
    AuthenticateResponse: { fields: { token: id("string", 2) } },
  },
});

export interface KeyValue {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
}

interface Header {
  readonly revision: number;
}

export interface RangeRequest {
  readonly key: Buffer;
  readonly rangeEnd?: Buffer;
  readonly limit?: number;
  /** 0 or absent: the latest. */
  readonly revision?: number;
  readonly sortOrder?: number;
  readonly sortTarget?: number;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface RangeResponse {
  readonly header: Header | null;
  readonly kvs: readonly KeyValue[];
  readonly more: boolean;
}

/** Of `Compare`. */
export const compareEqual = 0;
export const compareTarget = { version: 0, createRevision: 1, modRevision: 2 } as const;
/** Of `RangeRequest`. */
export const sortAscending = 1;
export const sortByCreation = 2;
/** Of `Event`. */
export const eventDelete = 1;

export type Compare = { readonly result: number; readonly target: number; readonly key: Buffer } & (
  | { readonly version: number }
  | { readonly createRevision: number }
  | { readonly modRevision: number }
);

export type RequestOp =
  | { readonly range: RangeRequest }
  | {
      readonly put: {
        readonly key: Buffer;
        readonly value: Uint8Array;
        readonly lease?: number;
        readonly prevKv?: true;
      };
    }
  | { readonly delete: { readonly key: Buffer } };

export interface TxnRequest {
  readonly compare: readonly Compare[];
  readonly success: readonly RequestOp[];
  readonly failure: readonly RequestOp[];
}

export interface TxnResponse {
  readonly header: Header | null;
  readonly succeeded: boolean;
  readonly responses: readonly {
    readonly range?: RangeResponse | null;
    readonly put?: { readonly prevKv: KeyValue | null } | null;
  }[];
}

export interface WatchRequest {
  readonly create: { readonly key: Buffer; readonly rangeEnd: Buffer; readonly startRevision: number };
}

export interface WatchResponse {
  readonly header: Header | null;
  readonly canceled: boolean;
  readonly compactRevision: number;
  readonly cancelReason: string;
  readonly events: readonly { readonly type: number; readonly kv: KeyValue | null }[];
}

/** Request and answer of each call. */
export interface Calls {
  readonly range: [RangeRequest, RangeResponse];
  readonly txn: [TxnRequest, TxnResponse];
  readonly leaseGrant: [
    { readonly ttl: number; readonly id: number },
    { readonly header: Header | null; readonly ttl: number },
  ];
  readonly leaseRevoke: [{ readonly id: number }, { readonly header: Header | null }];
  readonly authenticate: [{ readonly name: string; readonly password: string }, { readonly token: string }];
}

/** Request and answer of each stream. */
export interface Streams {
  readonly watch: [WatchRequest, WatchResponse];
  readonly leaseKeepAlive: [{ readonly id: number }, { readonly header: Header | null; readonly ttl: number }];
}

const paths = {
  range: ["KV/Range", "RangeRequest", "RangeResponse"],
  txn: ["KV/Txn", "TxnRequest", "TxnResponse"],
  watch: ["Watch/Watch", "WatchRequest", "WatchResponse"],
  leaseGrant: ["Lease/LeaseGrant", "LeaseGrantRequest", "LeaseGrantResponse"],
  leaseRevoke: ["Lease/LeaseRevoke", "LeaseRevokeRequest", "LeaseRevokeResponse"],
  leaseKeepAlive: ["Lease/LeaseKeepAlive", "LeaseKeepAliveRequest", "LeaseKeepAliveResponse"],
  authenticate: ["Auth/Authenticate", "AuthenticateRequest", "AuthenticateResponse"],
} as const;

export interface Method {
  readonly path: string;
  readonly serialize: (message: object) => Buffer;
  readonly deserialize: (bytes: Buffer) => unknown;
}

function methodOf(name: keyof typeof paths): Method {
  const [path, request, response] = paths[name];
  const requestType = root.lookupType(request);
  const responseType = root.lookupType(response);
  return {
    path: `/etcdserverpb.${path}`,
    serialize: (message) => Buffer.from(requestType.encode(requestType.create(message)).finish()),
    // Revisions stay far below 2^53; ids of leases are our own choice, and stay below it as well.
    deserialize: (bytes) =>
      responseType.toObject(responseType.decode(bytes), { longs: Number, bytes: Buffer, defaults: true, arrays: true }),
  };
}

export const methods = Object.fromEntries(
  (Object.keys(paths) as (keyof typeof paths)[]).map((name) => [name, methodOf(name)]),
) as Readonly<Record<keyof typeof paths, Method>>;
