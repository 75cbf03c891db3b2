import { expect, test } from "vitest";
import { siphash } from "./siphash.ts";

test("SipHash-2-4 gives the values of its authors' test vectors", () => {
  const key = Buffer.from(Array.from({ length: 16 }, (_, index) => index));
  const of = (length: number) => siphash(key, Buffer.from(Array.from({ length }, (_, index) => index))).toString("hex");
  expect([0, 1, 7, 8, 15].map(of)).toEqual([
    "310e0edd47db6f72",
    "fd67dc93c539f874",
    "37d1018bf50002ab",
    "6224939a79f5f593",
    "e545be4961ca29a1",
  ]);
});
