export const recordType = {
  A: 1,
  NS: 2,
  SOA: 6,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export const recordClass = { IN: 1, CHAOS: 3 } as const;

export const responseCode = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  BADVERS: 16,
} as const;

export const headerBytes = 12;
/** Bytes of a UDP answer to somebody who does not speak EDNS. */
export const udpBytesPlain = 512;
/** Bytes of a UDP answer that no path fragments, and what we tell clients we take. */
export const udpBytesMax = 1_232;
export const tcpBytesMax = 65_535;
export const optionCode = { COOKIE: 10 } as const;

/** Bytes of an OPT record without options. */
export const optBytes = 11;
