const mask = 0xffff_ffff_ffff_ffffn;

/** SipHash-2-4 of some bytes under a key of 16, as eight bytes in the order in which the function gives them. */
export function siphash(key: Buffer, bytes: Buffer): Buffer {
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  const v: [bigint, bigint, bigint, bigint] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const whole = bytes.length - (bytes.length % 8);
  for (let at = 0; at < whole; at += 8) compress(v, bytes.readBigUInt64LE(at));
  let last = BigInt(bytes.length & 255) << 56n;
  for (let at = whole; at < bytes.length; at++) last |= BigInt(bytes[at] ?? 0) << BigInt(8 * (at - whole));
  compress(v, last);
  v[2] ^= 0xffn;
  for (let i = 0; i < 4; i++) round(v);
  const digest = Buffer.alloc(8);
  digest.writeBigUInt64LE(v[0] ^ v[1] ^ v[2] ^ v[3]);
  return digest;
}

function compress(v: [bigint, bigint, bigint, bigint], word: bigint): void {
  v[3] ^= word;
  round(v);
  round(v);
  v[0] ^= word;
}

function round(v: [bigint, bigint, bigint, bigint]): void {
  v[0] = (v[0] + v[1]) & mask;
  v[1] = rotate(v[1], 13n) ^ v[0];
  v[0] = rotate(v[0], 32n);
  v[2] = (v[2] + v[3]) & mask;
  v[3] = rotate(v[3], 16n) ^ v[2];
  v[0] = (v[0] + v[3]) & mask;
  v[3] = rotate(v[3], 21n) ^ v[0];
  v[2] = (v[2] + v[1]) & mask;
  v[1] = rotate(v[1], 17n) ^ v[2];
  v[2] = rotate(v[2], 32n);
}

function rotate(word: bigint, by: bigint): bigint {
  return ((word << by) | (word >> (64n - by))) & mask;
}
