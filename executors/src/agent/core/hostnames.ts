/** Characters of a host name, by its definition. */
const lengthMax = 63;

/** A text, as far as it can be a host name; "" if nothing of it can. */
export function asHostname(text: string): string {
  return text
    .replace(/[^A-Za-z0-9.]+/g, "-")
    .slice(0, lengthMax)
    .replace(/^[-.]+|[-.]+$/g, "");
}
