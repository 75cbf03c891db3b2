/** works: has its meaning. warned: accepted, without effect. refused: ignoring it would change what the job means. */
export type Status = "works" | "warned" | "refused";

export type AttributeType =
  | "string"
  | "integer"
  | "bool"
  /** Go style text, or nanoseconds as a number; decoded to milliseconds. */
  | "duration"
  | "strings"
  /** Map of texts; may also be written as a block. */
  | "string-map"
  /** Number or text, decoded to text. */
  | "text"
  /** Names with a text or a list of texts each. */
  | "any"
  /** Not looked into. */
  | "free";

export interface AttributeSchema {
  readonly type: AttributeType;
  readonly status: Status;
  readonly doc: string;
  /** Why it is warned or refused. */
  readonly reason?: string;
  readonly required?: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly oneOf?: readonly string[];
}

export interface BlockSchema {
  readonly status: Status;
  readonly doc: string;
  readonly reason?: string;
  readonly labels: 0 | 1;
  /** May stand several times. */
  readonly repeats: boolean;
  /** What stands inside is not looked into. */
  readonly isOpen?: true;
  /** Not looked into unless the attribute beside it has one of the values: another driver's config is its own. */
  readonly onlyIf?: { readonly attribute: string; readonly oneOf: readonly string[] };
  readonly attributes: Readonly<Record<string, AttributeSchema>>;
  readonly blocks: Readonly<Record<string, BlockSchema>>;
}

type Limits = Pick<AttributeSchema, "required" | "min" | "max" | "oneOf">;

export const works = (type: AttributeType, doc: string, limits: Limits = {}): AttributeSchema => ({
  type,
  status: "works",
  doc,
  ...limits,
});

export const warned = (doc: string, reason: string): AttributeSchema => ({
  type: "any",
  status: "warned",
  doc,
  reason,
});

export const refused = (doc: string, reason: string): AttributeSchema => ({
  type: "any",
  status: "refused",
  doc,
  reason,
});

/** What a block takes and holds. */
export interface BlockParts {
  readonly labels?: 0 | 1;
  readonly repeats?: boolean;
  readonly onlyIf?: BlockSchema["onlyIf"];
  readonly attributes?: Readonly<Record<string, AttributeSchema>>;
  /** Blocks that work may be given by their parts alone, where their names say enough. */
  readonly blocks?: Readonly<Record<string, BlockSchema | BlockParts>>;
}

export function block(doc: string, parts: BlockParts): BlockSchema {
  const blocks = Object.entries(parts.blocks ?? {}).map(([name, inner]): [string, BlockSchema] => [
    name,
    "status" in inner ? inner : block("", inner),
  ]);
  return {
    status: "works",
    doc,
    labels: parts.labels ?? 0,
    repeats: parts.repeats ?? false,
    ...(parts.onlyIf ? { onlyIf: parts.onlyIf } : {}),
    attributes: parts.attributes ?? {},
    blocks: Object.fromEntries(blocks),
  };
}

/** Anything may stand inside. */
export const openBlock = (doc: string): BlockSchema => ({ ...block(doc, { repeats: true }), isOpen: true });

/** With parts it is checked inside as if it worked. */
const outside = (status: Status, doc: string, reason: string, parts?: BlockParts): BlockSchema => ({
  ...(parts ? block(doc, parts) : openBlock(doc)),
  status,
  reason,
});

export const warnedBlock = (doc: string, reason: string, parts?: BlockParts): BlockSchema =>
  outside("warned", doc, reason, parts);
export const refusedBlock = (doc: string, reason: string, parts?: BlockParts): BlockSchema =>
  outside("refused", doc, reason, parts);
