import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";

type Fields = Readonly<Record<string, unknown>>;

/**
 * A decoded message in the shape of the contract's types: amounts as numbers, every field there, a `oneof` as one field
 * per case beside the name of the case. O(fields).
 */
export function plain(shape: DescMessage, message: Message): Record<string, unknown> {
  const fields = message as unknown as Fields;
  const out: Record<string, unknown> = {};
  for (const field of shape.fields) {
    if (field.oneof !== undefined) continue;
    out[field.localName] = plainField(field, fields[field.localName]);
  }
  for (const oneof of shape.oneofs) {
    const chosen = fields[oneof.localName] as { case?: string; value?: unknown };
    const field = oneof.fields.find((each) => each.localName === chosen.case);
    if (field === undefined) continue;
    out[oneof.localName] = field.localName;
    out[field.localName] = plainField(field, chosen.value);
  }
  return out;
}

function plainField(field: DescField, value: unknown): unknown {
  switch (field.fieldKind) {
    case "message":
      return value === undefined ? null : plain(field.message, value as Message);
    case "list":
      return field.listKind === "message"
        ? (value as Message[]).map((item) => plain(field.message, item))
        : (value as unknown[]).map(plainScalar);
    case "map": {
      const entries = Object.entries(value as Fields);
      return Object.fromEntries(
        entries.map(([key, item]) => [
          key,
          field.mapKind === "message" ? plain(field.message, item as Message) : plainScalar(item),
        ]),
      );
    }
    default:
      return plainScalar(value);
  }
}

// The contract's amounts and times stay below 2^53.
const plainScalar = (value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
