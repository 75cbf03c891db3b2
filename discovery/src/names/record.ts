/** What a name stands for. Names are whole, lower-case, without the final dot. */
export type DnsRecord = AddressRecord | ServiceRecord | TextRecord;

export interface AddressRecord {
  /** A for an IPv4 address, AAAA for an IPv6 address. */
  readonly type: "address";
  readonly name: string;
  /** IPv4 or IPv6. */
  readonly ip: string;
  readonly ttlSeconds: number;
}

export interface ServiceRecord {
  readonly type: "srv";
  readonly name: string;
  /** Lower is tried first. */
  readonly priority: number;
  /** Share among equals. */
  readonly weight: number;
  readonly port: number;
  /** Name whose addresses serve that port. */
  readonly target: string;
  readonly ttlSeconds: number;
}

export interface TextRecord {
  readonly type: "txt";
  readonly name: string;
  readonly text: string;
  readonly ttlSeconds: number;
}
