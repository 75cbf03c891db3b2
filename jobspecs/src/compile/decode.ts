import type { Span } from "../diagnostics/diagnostic.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { evaluate, pairsOf } from "../evaluate/evaluate.ts";
import { type Scope, withNames } from "../evaluate/scope.ts";
import { kindName, mapValue, toText, type Value } from "../evaluate/value.ts";
import type { AttributeSchema, BlockSchema } from "../schema/model.ts";
import { Report, type Source } from "../syntax/source.ts";
import type { Attribute, Block, BodyItem, Expression } from "../syntax/tree.ts";
import { type DecodedAttribute, DecodedBlock, type Plain } from "./decoded.ts";
import { plainOf } from "./plain.ts";

/** Blocks that one dynamic block may make. */
const dynamicBlocksMax = 10_000;

/** An item, and the scope of the file that it stands in. */
type ScopedItem = readonly [BodyItem, Scope];

interface Gathered {
  readonly items: readonly ScopedItem[];
  readonly attributes: Map<string, DecodedAttribute>;
  readonly blocks: Map<string, DecodedBlock[]>;
  /** First place of each name, to tell what was written twice. */
  readonly places: Map<string, { readonly span: Span; readonly source: Source }>;
}

/** Checks a block against its schema. All that is unknown, refused, warned about or of a wrong type is reported. */
export function decodeBlock(block: Block, schema: BlockSchema, scope: Scope): DecodedBlock {
  const labels = block.labels.map((label) => label.text);
  if (labels.length !== schema.labels) {
    scope.report.error(scope.source, block.typeSpan, {
      code: "schema/labels",
      summary:
        schema.labels === 0
          ? `block "${block.type}" takes no label`
          : `block "${block.type}" takes one label, not ${labels.length}`,
      hint: schema.labels === 0 ? undefined : `write ${block.type} "name" {`,
    });
  }
  return decodeItems(block, labels[0] ?? "", block.body.items, schema, scope);
}

function decodeItems(
  block: Block,
  label: string,
  items: readonly BodyItem[],
  schema: BlockSchema,
  scope: Scope,
): DecodedBlock {
  const scoped = withIncluded(items, scope);
  const gathered: Gathered = { items: scoped, attributes: new Map(), blocks: new Map(), places: new Map() };
  for (const [item, within] of scoped) {
    if (item.kind === "attribute") decodeAttribute(item, block.type, schema, within, gathered);
    else decodeInner(item, block.type, schema, within, gathered);
  }
  for (const [name, attribute] of Object.entries(schema.attributes)) {
    if (attribute.required && !gathered.places.has(name)) {
      scope.report.error(scope.source, block.typeSpan, {
        code: "schema/missing",
        summary: `block "${block.type}" needs "${name}"`,
        detail: attribute.doc,
      });
    }
  }
  return new DecodedBlock({
    label,
    span: block.labels[0] ?? block.typeSpan,
    attributes: gathered.attributes,
    blocks: gathered.blocks,
    source: scope.source,
    report: scope.report,
  });
}

/** What included files hold takes the place of the include. */
function withIncluded(items: readonly BodyItem[], scope: Scope): ScopedItem[] {
  return items.flatMap((item): ScopedItem[] => {
    if (item.kind === "attribute" || item.type !== "include") return [[item, scope]];
    const included = scope.open?.(item, scope);
    return included ? withIncluded(included.body.items, included.scope) : [];
  });
}

function decodeAttribute(item: Attribute, inside: string, schema: BlockSchema, scope: Scope, gathered: Gathered): void {
  const known = own(schema.attributes, item.name);
  if (!known) {
    reportUnknown(item.name, item.nameSpan, "attribute", inside, schema, scope);
    return;
  }
  if (!isAccepted(known, item.name, item.nameSpan, scope) || isRepeated(item.name, item.nameSpan, scope, gathered)) {
    return;
  }
  const { value, isTainted } = scope.surroundings.taint.during(() => evaluate(item.value, scope));
  const plain = keepAttribute(item.name, known, value, item.value, scope, gathered);
  if (isTainted && plain !== undefined) noteHidden(item.name, textsIn(plain), item.value, scope);
}

/** All texts of a value. */
function textsIn(plain: Plain): string[] {
  if (typeof plain === "string") return [plain];
  if (plain instanceof Map) return [...plain.values()];
  if (Array.isArray(plain)) return [...plain];
  return typeof plain === "object" && "headers" in plain ? Object.values(plain.headers).flat() : [];
}

function noteHidden(name: string, texts: readonly string[], span: Span, scope: Scope): void {
  const { source } = scope;
  scope.surroundings.taint.note({ name, texts, span: { start: span.start, end: span.end }, source });
}

function keepAttribute(
  name: string,
  schema: AttributeSchema,
  value: Value,
  span: { readonly start: number; readonly end: number },
  scope: Scope,
  gathered: Gathered,
): Plain | undefined {
  const plain = plainOf(value, schema, name, span, scope);
  if (plain !== undefined) {
    gathered.attributes.set(name, { plain, span: { start: span.start, end: span.end }, source: scope.source });
  }
  return plain;
}

/** Objects made from outside input are asked for their own names alone. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function isAccepted(
  known: { readonly status: string; readonly reason?: string; readonly doc: string },
  name: string,
  span: { readonly start: number; readonly end: number },
  scope: Scope,
): boolean {
  if (known.status === "works") return true;
  const remark = { summary: `"${name}": ${known.reason ?? "not available"}`, detail: known.doc };
  if (known.status === "refused") scope.report.error(scope.source, span, { code: "schema/refused", ...remark });
  else scope.report.warning(scope.source, span, { code: "schema/ignored", ...remark });
  return false;
}

function isRepeated(
  name: string,
  span: { readonly start: number; readonly end: number },
  scope: Scope,
  gathered: Gathered,
): boolean {
  const first = gathered.places.get(name);
  if (!first) {
    gathered.places.set(name, { span, source: scope.source });
    return false;
  }
  scope.report.error(scope.source, span, {
    code: "schema/repeated",
    summary: `"${name}" is written twice`,
    related: { ...first, summary: "first written here" },
  });
  return true;
}

function reportUnknown(
  name: string,
  span: { readonly start: number; readonly end: number },
  kind: "attribute" | "block",
  inside: string,
  schema: BlockSchema,
  scope: Scope,
): void {
  const isOther = kind === "attribute" ? own(schema.blocks, name) : own(schema.attributes, name);
  const names = [...Object.keys(schema.attributes), ...Object.keys(schema.blocks)];
  scope.report.error(scope.source, span, {
    code: `schema/unknown-${kind}`,
    summary: `no ${kind} "${name}" in ${inside}`,
    hint: isOther
      ? kind === "attribute"
        ? `it is a block: write ${name} { }`
        : `it is an attribute: write ${name} = ...`
      : didYouMean(name, names),
  });
}

function decodeInner(item: Block, inside: string, schema: BlockSchema, scope: Scope, gathered: Gathered): void {
  if (item.type === "dynamic") {
    expandDynamic(item, inside, schema, scope, gathered);
    return;
  }
  const asMap = own(schema.attributes, item.type);
  if (asMap?.type === "free") {
    isRepeated(item.type, item.typeSpan, scope, gathered);
    return;
  }
  if (asMap && (asMap.type === "string-map" || (asMap.type === "any" && asMap.status === "works"))) {
    decodeMapBlock(item, asMap, scope, gathered);
    return;
  }
  const known = own(schema.blocks, item.type);
  if (!known) {
    // Known as an attribute that has no effect: the same holds for its block form.
    if (asMap && asMap.status !== "works") isAccepted(asMap, item.type, item.typeSpan, scope);
    else reportUnknown(item.type, item.typeSpan, "block", inside, schema, scope);
    return;
  }
  const isKept = isAccepted(known, item.type, item.typeSpan, scope);
  if (!known.repeats && isRepeated(item.type, item.typeSpan, scope, gathered)) return;
  if (known.isOpen || !isLookedInto(known, gathered)) return;
  const decoded = decodeBlock(item, known, scope);
  if (isKept) keepBlock(item.type, decoded, gathered);
}

function isLookedInto(known: BlockSchema, gathered: Gathered): boolean {
  const { onlyIf } = known;
  const found = gathered.items.find(([item]) => item.kind === "attribute" && item.name === onlyIf?.attribute);
  const [beside, within] = found ?? [];
  if (!onlyIf || !within || beside?.kind !== "attribute") return true;
  // Evaluated quietly: its own decoding reports what is wrong with it.
  const text = toText(evaluate(beside.value, { ...within, report: new Report() }));
  return text === undefined || onlyIf.oneOf.includes(text);
}

function keepBlock(type: string, block: DecodedBlock, gathered: Gathered): void {
  const list = gathered.blocks.get(type);
  if (list) list.push(block);
  else gathered.blocks.set(type, [block]);
}

/** `env { A = "b" }` says the same as `env = { A = "b" }`. */
function decodeMapBlock(item: Block, schema: AttributeSchema, scope: Scope, gathered: Gathered): void {
  if (isRepeated(item.type, item.typeSpan, scope, gathered)) return;
  const entries: [string, Value][] = [];
  const hidden: Attribute[] = [];
  for (const inner of item.body.items) {
    if (inner.kind === "attribute") {
      const { value, isTainted } = scope.surroundings.taint.during(() => evaluate(inner.value, scope));
      entries.push([inner.name, value]);
      if (isTainted) hidden.push(inner);
    } else {
      scope.report.error(scope.source, inner.typeSpan, {
        code: "schema/unknown-block",
        summary: `no block "${inner.type}" in ${item.type}: it holds names and texts`,
      });
    }
  }
  const known = entries.filter(([, value]) => value.kind !== "unknown");
  const plain = keepAttribute(item.type, schema, mapValue(known), item.typeSpan, scope, gathered);
  if (!(plain instanceof Map)) return;
  for (const { name, value } of hidden) noteHidden(name, [plain.get(name) ?? ""], value, scope);
}

function expandDynamic(item: Block, inside: string, schema: BlockSchema, scope: Scope, gathered: Gathered): void {
  const type = item.labels[0]?.text ?? "";
  const known = own(schema.blocks, type);
  if (item.labels.length !== 1 || !known) {
    scope.report.error(scope.source, item.labels[0] ?? item.typeSpan, {
      code: "schema/unknown-block",
      summary: `no block "${type}" in ${inside} to be made dynamically`,
      hint: didYouMean(type, Object.keys(schema.blocks)),
    });
    return;
  }
  const isKept = isAccepted(known, type, item.labels[0] ?? item.typeSpan, scope);
  if (known.isOpen) return;
  const parts = dynamicParts(item, scope);
  const rounds = parts && dynamicRounds(parts.forEach, scope);
  if (!parts || !rounds) return;
  for (const [key, value] of rounds) {
    const inner = withNames(scope, [
      [
        parts.iterator ?? type,
        mapValue([
          ["key", key],
          ["value", value],
        ]),
      ],
    ]);
    const labels = parts.labels ? labelTexts(parts.labels, inner) : [];
    if (!labels) return;
    if (labels.length !== known.labels) {
      scope.report.error(scope.source, parts.labels ?? item.typeSpan, {
        code: "schema/labels",
        summary: `block "${type}" takes ${known.labels} labels, not ${labels.length}`,
        hint: known.labels === 1 ? `add labels = [${type}.value]` : undefined,
      });
      return;
    }
    if (!known.repeats && gathered.blocks.has(type)) {
      isRepeated(type, item.typeSpan, scope, gathered);
      return;
    }
    const shown: Block = { ...parts.content, type, typeSpan: item.typeSpan, labels: item.labels };
    const decoded = decodeItems(shown, labels[0] ?? "", parts.content.body.items, known, inner);
    if (isKept) keepBlock(type, decoded, gathered);
  }
}

interface DynamicParts {
  readonly forEach: Expression;
  readonly iterator?: string;
  readonly labels?: Expression;
  readonly content: Block;
}

function dynamicParts(item: Block, scope: Scope): DynamicParts | undefined {
  let forEach: Expression | undefined;
  let labels: Expression | undefined;
  let iterator: string | undefined;
  let content: Block | undefined;
  for (const inner of item.body.items) {
    if (inner.kind === "block" && inner.type === "content") content = inner;
    else if (inner.kind === "attribute" && inner.name === "for_each") forEach = inner.value;
    else if (inner.kind === "attribute" && inner.name === "labels") labels = inner.value;
    else if (inner.kind === "attribute" && inner.name === "iterator" && inner.value.kind === "variable") {
      iterator = inner.value.name;
    } else {
      const name = inner.kind === "block" ? inner.type : inner.name;
      scope.report.error(scope.source, inner, {
        code: "schema/unknown-attribute",
        summary: `no "${name}" in a dynamic block`,
        detail: "It holds for_each, iterator (a bare name), labels and one content block.",
        hint: didYouMean(name, ["for_each", "iterator", "labels", "content"]),
      });
      return undefined;
    }
  }
  if (forEach && content) {
    return { forEach, content, ...(labels ? { labels } : {}), ...(iterator === undefined ? {} : { iterator }) };
  }
  scope.report.error(scope.source, item.typeSpan, {
    code: "schema/missing",
    summary: `a dynamic block needs ${forEach ? "a content block" : "for_each"}`,
  });
  return undefined;
}

function dynamicRounds(forEach: Expression, scope: Scope): (readonly [Value, Value])[] | undefined {
  const { value } = scope.surroundings.taint.during(() => evaluate(forEach, scope));
  if (value.kind === "unknown") return undefined;
  const rounds = pairsOf(value);
  if (rounds && rounds.length <= dynamicBlocksMax) return rounds;
  scope.report.error(scope.source, forEach, {
    code: value.kind === "runtime" ? "evaluate/runtime" : "evaluate/no-collection",
    summary: rounds
      ? `for_each of more than ${dynamicBlocksMax} blocks`
      : value.kind === "runtime"
        ? "for_each is known only on the agent, but the job's blocks must be known before"
        : `for_each needs a list, set, map or object, not a ${kindName(value)}`,
  });
  return undefined;
}

function labelTexts(expression: Expression, scope: Scope): string[] | undefined {
  const value = evaluate(expression, scope);
  const texts = value.kind === "list" ? value.items.map(toText) : [];
  if (value.kind === "list" && texts.every((text) => text !== undefined)) return texts;
  if (value.kind !== "unknown") {
    scope.report.error(scope.source, expression, {
      code: "schema/labels",
      summary: "labels is a list of texts",
    });
  }
  return undefined;
}
