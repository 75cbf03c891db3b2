/**
 * How messages look in JavaScript. The generated types say the same, so the two may only change together.
 * Enumerations stay numbers: both codecs then yield one shape, and a comparison costs no string.
 */
export const loaderOptions = {
  keepCase: false,
  longs: Number,
  defaults: true,
  oneofs: true,
} as const;
