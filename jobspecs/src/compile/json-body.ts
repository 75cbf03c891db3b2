import type { AttributeSchema, BlockSchema } from "../schema/model.ts";
import { jobBlock } from "../schema/table.ts";
import { type JsonMember, type JsonNode, parseJson, StringSource } from "../syntax/json.ts";
import { isTooLarge, parseLoneExpression, parseLoneTemplate } from "../syntax/parse.ts";
import type { Report, Source } from "../syntax/source.ts";
import type { Attribute, Block, Body, BodyItem, Expression } from "../syntax/tree.ts";

/** Whether a text is meant as JSON: HCL never begins with a brace. */
export const isJson = (text: string): boolean => /^\ufeff?\s*\{/.test(text);

/** What the schema says of names in a body; of a body that holds names of the author's own nothing. */
type Known = Pick<BlockSchema, "attributes" | "blocks"> | undefined;

const text: AttributeSchema = { type: "string", status: "works", doc: "" };
const blockOf = (labels: 0 | 1, inner: Known): BlockSchema => ({
  status: "works",
  doc: "",
  labels,
  repeats: true,
  attributes: inner?.attributes ?? {},
  blocks: inner?.blocks ?? {},
});

const variableSchema: NonNullable<Known> = {
  attributes: { type: text },
  blocks: { validation: blockOf(0, undefined) },
};

const fileSchema: Known = {
  attributes: {},
  blocks: {
    job: jobBlock,
    variable: blockOf(1, variableSchema),
    variables: blockOf(0, undefined),
    locals: blockOf(0, undefined),
  },
};

/**
 * A job file in JSON syntax as the same tree that HCL gives: the schema says which names are blocks, whose labels are
 * names of objects. Texts are templates; "//" is a comment.
 */
export function readJsonFile(source: Source, report: Report): Body {
  const empty: Body = { start: 0, end: source.text.length, items: [] };
  if (isTooLarge(source, report)) return empty;
  const node = parseJson(source, report);
  if (!node) return empty;
  if (node.kind === "object" && node.members.some(({ name }) => name === "Job" || name === "ID")) {
    report.error(source, node.members[0]?.nameSpan ?? node, {
      code: "syntax/json",
      summary: "this is a job as Nomad's API has it, not a job file",
      hint: "muster job convert makes a job file of it",
    });
    return empty;
  }
  return new JsonBody(source, report).body(node, fileSchema);
}

class JsonBody {
  readonly #source: Source;
  readonly #report: Report;

  constructor(source: Source, report: Report) {
    this.#source = source;
    this.#report = report;
  }

  body(node: JsonNode, known: Known): Body {
    const { start, end } = node;
    if (node.kind === "object")
      return { start, end, items: node.members.flatMap((member) => this.#member(member, known)) };
    this.#report.error(this.#source, node, { code: "syntax/json", summary: "a block is an object here" });
    return { start, end, items: [] };
  }

  #member(member: JsonMember, known: Known): BodyItem[] {
    const { name, nameSpan, value } = member;
    if (name === "//") return [];
    if (name === "dynamic") return this.#labelled(member, (type, inner) => this.#dynamic(inner, type, known));
    if (name === "include") return this.#labelled(member, (_, inner) => this.body(inner, undefined));
    const block = known && Object.hasOwn(known.blocks, name) ? known.blocks[name] : undefined;
    if (!block) {
      const isType = known?.attributes === variableSchema.attributes && name === "type";
      return [this.#attribute(member, isType ? this.#typeOf(value) : this.#expression(value))];
    }
    if (value.kind === "literal" && value.value === null) return [];
    if (block.labels === 1) return this.#labelled(member, (_, inner) => this.body(inner, block));
    return many(value).map((one) => makeBlock(name, nameSpan, [], this.body(one, block)));
  }

  /** `"group": { "web": { } }`, or a list of such objects, or lists of blocks in them. */
  #labelled({ name, nameSpan, value }: JsonMember, read: (label: string, inner: JsonNode) => Body): Block[] {
    return many(value).flatMap((object) => {
      if (object.kind !== "object") {
        const hint = `write "${name}": { "label": { } }`;
        this.#report.error(this.#source, object, { code: "schema/labels", summary: `"${name}" takes a label`, hint });
        return [];
      }
      return object.members.flatMap((label) =>
        many(label.value).map((inner) =>
          makeBlock(name, nameSpan, [{ text: label.name, ...label.nameSpan }], read(label.name, inner)),
        ),
      );
    });
  }

  #dynamic(node: JsonNode, type: string, known: Known): Body {
    const { start, end } = node;
    if (node.kind !== "object") return this.body(node, undefined);
    const inner = known && Object.hasOwn(known.blocks, type) ? known.blocks[type] : undefined;
    const items = node.members.flatMap((member): BodyItem[] => {
      const { name, nameSpan, value } = member;
      if (name === "content") return many(value).map((one) => makeBlock(name, nameSpan, [], this.body(one, inner)));
      if (name === "iterator" && value.kind === "string")
        return [this.#attribute(member, { kind: "variable", name: value.text, start: value.start, end: value.end })];
      return [this.#attribute(member, this.#expression(value))];
    });
    return { start, end, items };
  }

  #attribute({ name, nameSpan }: JsonMember, value: Expression): Attribute {
    return { kind: "attribute", start: nameSpan.start, end: value.end, name, nameSpan, value };
  }

  #expression(node: JsonNode): Expression {
    const { start, end } = node;
    switch (node.kind) {
      case "literal":
        return { kind: "literal", value: node.value, start, end };
      case "array":
        return { kind: "tuple", items: node.items.map((item) => this.#expression(item)), start, end };
      case "object":
        return {
          kind: "object",
          items: node.members.map(({ name, nameSpan, value }) => ({
            key: { kind: "template", form: "quoted", parts: [{ kind: "text", text: name, ...nameSpan }], ...nameSpan },
            value: this.#expression(value),
          })),
          start,
          end,
        };
      case "string":
        return this.#template(node);
    }
  }

  #template(node: JsonNode & { kind: "string" }): Expression {
    const { start, end } = node;
    const plain: Expression = {
      kind: "template",
      form: "quoted",
      parts: [{ kind: "text", text: node.text, start, end }],
      start,
      end,
    };
    if (!/[$%]\{/.test(node.text)) return plain;
    const source = new StringSource(this.#source, node);
    const parts = parseLoneTemplate(source, this.#report);
    return parts ? { ...plain, parts, source } : plain;
  }

  /** Types of variables are expressions written as texts. */
  #typeOf(node: JsonNode): Expression {
    if (node.kind !== "string") return this.#expression(node);
    return parseLoneExpression(new StringSource(this.#source, node), this.#report) ?? this.#expression(node);
  }
}

const many = (node: JsonNode): readonly JsonNode[] => (node.kind === "array" ? node.items : [node]);

function makeBlock(type: string, typeSpan: { start: number; end: number }, labels: Block["labels"], body: Body): Block {
  return { kind: "block", start: typeSpan.start, end: body.end, type, typeSpan, labels, body };
}
