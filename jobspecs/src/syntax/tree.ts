import type { Span } from "../diagnostics/diagnostic.ts";
import type { Source } from "./source.ts";

/** Attributes and blocks in the order of the text. */
export interface Body extends Span {
  readonly items: readonly BodyItem[];
}

export type BodyItem = Attribute | Block;

export interface Attribute extends Span {
  readonly kind: "attribute";
  readonly name: string;
  readonly nameSpan: Span;
  readonly value: Expression;
}

export interface Block extends Span {
  readonly kind: "block";
  readonly type: string;
  readonly typeSpan: Span;
  readonly labels: readonly Label[];
  readonly body: Body;
}

export interface Label extends Span {
  readonly text: string;
}

export type Expression =
  | Literal
  | Template
  | Variable
  | AttributeAccess
  | IndexAccess
  | Splat
  | SplatItem
  | Call
  | Unary
  | Binary
  | Conditional
  | Tuple
  | ObjectExpression
  | ForExpression
  | Parentheses;

export interface Literal extends Span {
  readonly kind: "literal";
  readonly value: number | boolean | null;
}

export interface Template extends Span {
  readonly kind: "template";
  readonly form: "quoted" | "heredoc";
  readonly parts: readonly TemplatePart[];
  /** What the places of its parts refer to, where that is not the file: a text inside of JSON. */
  readonly source?: Source;
}

export type TemplatePart = TemplateText | TemplateInterpolation | TemplateIf | TemplateFor;

export interface TemplateText extends Span {
  readonly kind: "text";
  /** Escapes resolved, trims and heredoc indentation applied. */
  readonly text: string;
}

export interface TemplateInterpolation extends Span {
  readonly kind: "interpolation";
  readonly expression: Expression;
}

export interface TemplateIf extends Span {
  readonly kind: "if";
  readonly condition: Expression;
  readonly then: readonly TemplatePart[];
  readonly otherwise: readonly TemplatePart[];
}

export interface TemplateFor extends Span {
  readonly kind: "for";
  readonly keyName?: string;
  readonly valueName: string;
  readonly collection: Expression;
  readonly body: readonly TemplatePart[];
}

export interface Variable extends Span {
  readonly kind: "variable";
  readonly name: string;
}

export interface AttributeAccess extends Span {
  readonly kind: "attribute-access";
  readonly object: Expression;
  readonly name: string;
  readonly nameSpan: Span;
}

export interface IndexAccess extends Span {
  readonly kind: "index";
  readonly object: Expression;
  readonly key: Expression;
}

/** `list.*.a` (attributes) or `list[*].a[0]` (full). */
export interface Splat extends Span {
  readonly kind: "splat";
  readonly style: "attributes" | "full";
  readonly object: Expression;
  /** Evaluated per element; holds a `splat-item` in place of the element. */
  readonly each: Expression;
}

export interface SplatItem extends Span {
  readonly kind: "splat-item";
}

export interface Call extends Span {
  readonly kind: "call";
  readonly name: string;
  readonly nameSpan: Span;
  readonly args: readonly Expression[];
  /** `f(list...)` */
  readonly expandsLast: boolean;
}

export interface Unary extends Span {
  readonly kind: "unary";
  readonly operator: "-" | "!";
  readonly operand: Expression;
}

export type BinaryOperator = "||" | "&&" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "+" | "-" | "*" | "/" | "%";

export interface Binary extends Span {
  readonly kind: "binary";
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}

export interface Conditional extends Span {
  readonly kind: "conditional";
  readonly condition: Expression;
  readonly then: Expression;
  readonly otherwise: Expression;
}

export interface Tuple extends Span {
  readonly kind: "tuple";
  readonly items: readonly Expression[];
}

export interface ObjectExpression extends Span {
  readonly kind: "object";
  readonly items: readonly ObjectItem[];
}

export interface ObjectItem {
  /** A bare name is its own text, not a reference. */
  readonly key: Expression;
  readonly value: Expression;
}

export interface ForExpression extends Span {
  readonly kind: "for";
  readonly keyName?: string;
  readonly valueName: string;
  readonly collection: Expression;
  /** Present: makes an object. */
  readonly key?: Expression;
  readonly value: Expression;
  readonly groups: boolean;
  readonly condition?: Expression;
}

export interface Parentheses extends Span {
  readonly kind: "parentheses";
  readonly inner: Expression;
}
