import { CallFault, numberOf, pureFunctions, textOf } from "./call.ts";
import {
  chosenFor,
  instanceStruct,
  namedStruct,
  needText,
  pairStruct,
  type TemplateData,
  type TemplateNeed,
} from "./data.ts";
import { TemplateFault, TemplateLimitFault } from "./fault.ts";
import { templateDepthMax, templateNeedsMax, templateOutputLengthMax, templateStepsMax } from "./limits.ts";
import type { Command, Node, Operand, Pipe, Place, Template } from "./tree.ts";
import { isList, isTrue, kindOf, shown, sortedEntries, TemplateStruct, type TemplateValue } from "./values.ts";

export interface RenderOptions {
  /** A name that a map has not is a mistake, instead of nothing. */
  readonly failsOnMissingKey?: boolean;
  /** A service of which there is no instance is not waited for, wherever it stands. */
  readonly takesEmptyServices?: boolean;
}

export interface Rendered {
  /** What it became; undefined as long as something is missing. */
  readonly text: string | undefined;
  /** All that was asked for: another answer to any of it may change the text. */
  readonly needs: readonly TemplateNeed[];
  /** What was not there. What comes of it may ask for more. */
  readonly missing: readonly TemplateNeed[];
}

/**
 * Evaluates a template. Throws TemplateFault, unless something is missing: then what is wrong may follow from that alone.
 * Bounded by the limits of this folder, whatever the template says.
 */
export function renderTemplate(template: Template, data: TemplateData, options: RenderOptions = {}): Rendered {
  const run = new Run(template, data, options);
  try {
    run.all();
  } catch (error) {
    const mayFollow = error instanceof TemplateFault && !(error instanceof TemplateLimitFault);
    if (!mayFollow || run.missing.size === 0) throw error;
  }
  const missing = [...run.missing.values()];
  return { text: missing.length > 0 ? undefined : run.text(), needs: [...run.needs.values()], missing };
}

/** How a list of nodes has ended. */
type Flow = "on" | "break" | "continue";

class Run {
  readonly needs = new Map<string, TemplateNeed>();
  readonly missing = new Map<string, TemplateNeed>();
  readonly #template: Template;
  readonly #data: TemplateData;
  readonly #options: RenderOptions;
  #pieces: string[] = [];
  #length = 0;
  #steps = 0;
  #depth = 0;
  /** Innermost last. "": what the template was called with. */
  #scopes: Map<string, TemplateValue>[];
  #dot: TemplateValue = null;

  constructor(template: Template, data: TemplateData, options: RenderOptions) {
    this.#template = template;
    this.#data = data;
    this.#options = options;
    this.#scopes = [new Map([["", null]])];
  }

  all(): void {
    this.#nodes(this.#template.nodes);
  }

  text(): string {
    return this.#pieces.join("");
  }

  #write(text: string, place: Place): void {
    this.#length += text.length;
    if (this.#length > templateOutputLengthMax)
      throw limit(place, `the result has more than ${templateOutputLengthMax} characters`);
    this.#pieces.push(text);
  }

  #step(place: Place): void {
    if (++this.#steps > templateStepsMax)
      throw limit(place, `more than ${templateStepsMax} steps`, "loops within loops multiply");
  }

  /** Long values cost more than one step, whatever is done with them. */
  #work(size: number, place: Place): void {
    if (size > templateOutputLengthMax)
      throw limit(place, `a value has more than ${templateOutputLengthMax} characters`);
    this.#steps += Math.floor(size / sizePerStep);
    this.#step(place);
  }

  #nodes(nodes: readonly Node[]): Flow {
    for (const node of nodes) {
      const flow = this.#node(node);
      if (flow !== "on") return flow;
    }
    return "on";
  }

  #scoped<T>(run: () => T, names: readonly (readonly [string, TemplateValue])[] = []): T {
    this.#scopes.push(new Map(names));
    try {
      return run();
    } finally {
      this.#scopes.pop();
    }
  }

  #withDot<T>(dot: TemplateValue, run: () => T): T {
    const before = this.#dot;
    this.#dot = dot;
    try {
      return run();
    } finally {
      this.#dot = before;
    }
  }

  #node(node: Node): Flow {
    switch (node.kind) {
      case "text":
        this.#write(node.text, nowhere);
        return "on";
      case "print":
        this.#write(shown(this.#pipe(node.pipe)), node.pipe);
        return "on";
      case "assign":
        this.#assign(node.name, node.declares, this.#pipe(node.pipe));
        return "on";
      case "break":
      case "continue":
        return node.kind;
      case "call":
        this.#call(node.name, node.pipe ? this.#pipe(node.pipe) : null, node.place);
        return "on";
      case "range":
        return this.#scoped(() => this.#range(node));
      default:
        return this.#scoped(() => this.#branch(node));
    }
  }

  #branch(node: Extract<Node, { kind: "if" | "with" }>): Flow {
    const value = this.#pipe(node.pipe);
    if (node.binding !== undefined) this.#scopes.at(-1)?.set(node.binding, value);
    if (!isTrue(value)) return node.otherwise ? this.#scoped(() => this.#nodes(node.otherwise ?? [])) : "on";
    const body = (): Flow => this.#scoped(() => this.#nodes(node.body));
    return node.kind === "with" ? this.#withDot(value, body) : body();
  }

  #range(node: Extract<Node, { kind: "range" }>): Flow {
    const value = this.#pipe(node.pipe);
    const items = this.#items(value, node.pipe);
    if (items.length === 0) return node.otherwise ? this.#scoped(() => this.#nodes(node.otherwise ?? [])) : "on";
    const { bindings } = node;
    for (const [key, item] of items) {
      this.#step(node.pipe);
      const [first, second] = bindings;
      const names: [string, TemplateValue][] = [];
      if (first !== undefined) names.push([first, second === undefined ? item : key]);
      if (second !== undefined) names.push([second, item]);
      const flow = this.#withDot(item, () => this.#scoped(() => this.#nodes(node.body), names));
      if (flow === "break") break;
    }
    return "on";
  }

  #items(value: TemplateValue, place: Place): readonly (readonly [TemplateValue, TemplateValue])[] {
    if (value === null) return [];
    if (isList(value)) return value.map((item, index) => [index, item]);
    if (value instanceof Map) return sortedEntries(value);
    if (typeof value === "number" && Number.isInteger(value) && value <= templateStepsMax)
      return Array.from({ length: Math.max(0, value) }, (_, index) => [index, index]);
    throw fault(place, `range needs a list, not ${kindOf(value)}`);
  }

  #assign(name: string, declares: boolean, value: TemplateValue): void {
    const scope = declares ? this.#scopes.at(-1) : this.#scopes.findLast((one) => one.has(name));
    scope?.set(name, value);
  }

  /** What a named template becomes goes where the call stands; its variables are its own. */
  #call(name: string, dot: TemplateValue, place: Place): void {
    const nodes = name === "" ? undefined : this.#template.named.get(name);
    if (!nodes) throw fault(place, `no template "${name}" is defined`, `add {{ define "${name}" }}`);
    if (++this.#depth > templateDepthMax)
      throw limit(place, `templates call each other more than ${templateDepthMax} levels deep`);
    const scopes = this.#scopes;
    this.#scopes = [new Map([["", dot]])];
    try {
      this.#withDot(dot, () => this.#nodes(nodes));
    } finally {
      this.#scopes = scopes;
      this.#depth--;
    }
  }

  #pipe(pipe: Pipe): TemplateValue {
    let value: TemplateValue | undefined;
    for (const command of pipe.commands) value = this.#command(command, value, pipe.hasElse === true);
    return value ?? null;
  }

  #command({ head, arguments: operands, ...place }: Command, piped: TemplateValue | undefined, hasElse: boolean) {
    this.#step(place);
    if (head.kind === "function") return this.#function(head.name, operands, piped, hasElse, head);
    const given = operands.map((one) => this.#operand(one, hasElse));
    if (piped !== undefined) given.push(piped);
    if (head.kind === "field" && given.length > 0) return this.#method(head, given, hasElse);
    return this.#operand(head, hasElse);
  }

  #operand(operand: Operand, hasElse: boolean): TemplateValue {
    this.#step(operand);
    switch (operand.kind) {
      case "literal":
        return operand.value;
      case "dot":
        return this.#dot;
      case "variable":
        return this.#scopes.findLast((one) => one.has(operand.name))?.get(operand.name) ?? null;
      case "function":
        return this.#function(operand.name, [], undefined, hasElse, operand);
      case "pipe":
        return this.#pipe(hasElse ? { ...operand.pipe, hasElse } : operand.pipe);
      case "field":
        return this.#field(this.#operand(operand.of, hasElse), operand.name, operand);
    }
  }

  #field(value: TemplateValue, name: string, place: Place): TemplateValue {
    if (value instanceof TemplateStruct) {
      const found = value.fields.get(name);
      if (found !== undefined) return found;
      throw fault(place, `a ${value.name} has no field ${name}`, `it has ${[...value.fields.keys()].join(", ")}`);
    }
    if (value instanceof Map) {
      const found = value.get(name);
      if (found !== undefined) return found;
      if (this.#options.failsOnMissingKey) throw fault(place, `the map has no "${name}"`);
      return null;
    }
    if (value === null && !this.#options.failsOnMissingKey) return null;
    throw fault(place, `${kindOf(value)} has no field ${name}`);
  }

  /** `.Tags.Contains "x"` is all that things can do themselves. */
  #method(head: Extract<Operand, { kind: "field" }>, given: readonly TemplateValue[], hasElse: boolean): TemplateValue {
    const of = this.#operand(head.of, hasElse);
    const [wanted = null] = given;
    if (head.name === "Contains" && isList(of) && given.length === 1) return of.includes(wanted);
    throw fault(head, "only a function takes arguments");
  }

  #function(
    name: string,
    operands: readonly Operand[],
    piped: TemplateValue | undefined,
    hasElse: boolean,
    place: Place,
  ): TemplateValue {
    if (name === "and" || name === "or") return this.#untilSettled(name, operands, piped, hasElse);
    const given = operands.map((one) => this.#operand(one, hasElse));
    if (piped !== undefined) given.push(piped);
    try {
      const pure = Object.hasOwn(pureFunctions, name) ? pureFunctions[name] : undefined;
      if (!pure) return this.#ask(name, given, hasElse, place);
      this.#work(workOf(name, given), place);
      const value = pure(given);
      this.#work(sizeOf(value), place);
      return value;
    } catch (error) {
      throw error instanceof CallFault ? fault(place, `${name}: ${error.message}`) : error;
    }
  }

  /** What comes after the first argument that settles it is not evaluated. */
  #untilSettled(
    name: "and" | "or",
    operands: readonly Operand[],
    piped: TemplateValue | undefined,
    hasElse: boolean,
  ): TemplateValue {
    let value: TemplateValue = null;
    for (const operand of operands) {
      value = this.#operand(operand, hasElse);
      if (isTrue(value) === (name === "or")) return value;
    }
    return piped ?? value;
  }

  /** Functions whose answers come from outside. */
  #ask(name: string, given: readonly TemplateValue[], hasElse: boolean, place: Place): TemplateValue {
    const data = this.#data;
    const first = (): string => textOf(given[0]);
    switch (name) {
      case "env":
        return own(data.environment, first()) ?? "";
      case "envOrDefault":
        return own(data.environment, first()) || textOf(given[1]);
      case "mustEnv": {
        const value = own(data.environment, first());
        if (value === undefined) throw fault(place, `the task has no variable ${first()}`, "set it in env");
        return value;
      }
      case "meta":
        return own(data.meta, first()) ?? "";
      case "secretText": {
        const key = given[1] === undefined ? "value" : textOf(given[1]);
        const value = data.secret(first(), key);
        if (value === undefined)
          throw fault(place, `the task has no secret "${first()}" with "${key}"`, `add secret "${first()}" { }`);
        return value;
      }
      case "key":
      case "keyExists":
      case "keyOrDefault":
        return this.#key(name, first(), given[1], hasElse, place);
      case "ls":
      case "safeLs":
      case "tree":
      case "safeTree":
        return this.#keys(name, first(), place);
      case "service":
        return this.#service(name, first(), given[1], hasElse, place);
      case "nomadService":
        return this.#nomadService(given, hasElse, place);
      case "services":
      case "nomadServices":
        return this.#services(place);
      case "timestamp":
        return this.#timestamp(given[0], place);
      case "executeTemplate":
        return this.#execute(first(), given[1] ?? null, place);
      default:
        throw fault(place, `no function "${name}"`);
    }
  }

  #need(need: TemplateNeed, place: Place): void {
    this.needs.set(`${need.kind} ${need.name}`, need);
    if (this.needs.size > templateNeedsMax)
      throw limit(place, `asks for more than ${templateNeedsMax} keys and services`, "use ls, or several tasks");
  }

  #miss(need: TemplateNeed): void {
    this.missing.set(`${need.kind} ${need.name}`, need);
  }

  #key(name: string, path: string, other: TemplateValue | undefined, hasElse: boolean, place: Place): TemplateValue {
    const need: TemplateNeed = { kind: "key", name: cleanPath(path) };
    if (need.name === "") throw fault(place, `${name} needs the path of a key`);
    this.#need(need, place);
    const answer = this.#data.key(need.name);
    if (name === "keyExists") {
      if (!answer) this.#miss(need);
      return answer?.value !== undefined;
    }
    if (answer?.value !== undefined) return answer.value;
    if (!answer || (name === "key" && !hasElse)) this.#miss(need);
    return name === "keyOrDefault" ? textOf(other) : "";
  }

  /** `ls` gives what lies directly in the folder, `tree` all that lies below. */
  #keys(name: string, path: string, place: Place): TemplateValue {
    const folder = cleanPath(path);
    const need: TemplateNeed = { kind: "keys", name: folder };
    this.#need(need, place);
    const found = this.#data.keys(folder);
    if (!found) {
      this.#miss(need);
      return [];
    }
    const isFlat = name === "ls" || name === "safeLs";
    const depth = folder === "" ? 0 : folder.length + 1;
    const wanted = found.filter(([one]) => !isFlat || !one.slice(depth).includes("/"));
    if (wanted.length === 0 && name.startsWith("safe")) this.#miss(need);
    return wanted.map(([one, value]) => pairStruct(one, folder, value));
  }

  #service(
    functionName: string,
    written: string,
    filter: TemplateValue | undefined,
    hasElse: boolean,
    place: Place,
  ): TemplateStruct[] {
    const wanted = serviceOf(written, functionName === "service");
    if (typeof wanted === "string") throw fault(place, `${functionName}: ${wanted}`);
    if (filter !== undefined && !/^(any|passing)(,(any|passing))*$/.test(textOf(filter)))
      throw fault(place, `service: "${textOf(filter)}" is no filter`, "only instances whose checks pass are known");
    const need: TemplateNeed = { kind: "service", name: wanted.name };
    this.#need(need, place);
    const found = this.#data.service(wanted.name);
    const fitting = (found ?? []).filter(({ tags }) => wanted.tag === "" || tags.includes(wanted.tag));
    const waits = !hasElse && this.#options.takesEmptyServices !== true;
    if (!found || (fitting.length === 0 && waits)) this.#miss(need);
    return fitting.map((one) => instanceStruct(wanted.name, one));
  }

  /** With a count and a name of who asks: so many of the instances, others for others, and mostly the same from time to time. */
  #nomadService(given: readonly TemplateValue[], hasElse: boolean, place: Place): TemplateValue {
    const [count, forWhom, name = count] = given;
    if (given.length === 2)
      throw fault(
        place,
        "nomadService takes a name, or a count, for whom, and a name",
        'write nomadService 2 (env "NOMAD_ALLOC_ID") "NAME"',
      );
    const all = this.#service("nomadService", textOf(name), undefined, hasElse, place);
    if (given.length === 1) return all;
    const most = numberOf(count);
    if (!Number.isInteger(most) || most < 1) throw fault(place, `nomadService: ${shown(count ?? null)} is no count`);
    return chosenFor(textOf(forWhom), all, most);
  }

  #services(place: Place): TemplateValue {
    const need: TemplateNeed = { kind: "services", name: "" };
    this.#need(need, place);
    const found = this.#data.services();
    if (!found) this.#miss(need);
    return (found ?? []).map(({ name, tags }) => namedStruct(name, tags));
  }

  #timestamp(form: TemplateValue | undefined, place: Place): TemplateValue {
    const { nowMs } = this.#data;
    if (form === undefined) return new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
    if (form === "unix") return String(Math.floor(nowMs / 1_000));
    throw fault(place, `timestamp: no form ${shown(form)}`, 'use "unix", or none for RFC 3339');
  }

  /** What a named template becomes, as text. */
  #execute(name: string, dot: TemplateValue, place: Place): string {
    const before = this.#pieces;
    const length = this.#length;
    this.#pieces = [];
    try {
      this.#call(name, dot, place);
      return this.#pieces.join("");
    } finally {
      this.#pieces = before;
      this.#length = length;
    }
  }
}

/** Characters or elements that one step deals with. */
const sizePerStep = 256;

function sizeOf(value: TemplateValue): number {
  if (typeof value === "string" || (value !== null && isList(value))) return value.length;
  return value instanceof Map ? value.size : 1;
}

/** What a call deals with: its arguments, and where these multiply, what it becomes at most. O(arguments). */
function workOf(name: string, given: readonly TemplateValue[]): number {
  const sizes = given.map(sizeOf);
  const sum = sizes.reduce((total, size) => total + size, 0);
  const [first = 0, second = 0, third = 0] = sizes;
  switch (name) {
    case "join":
      return sum + first * second;
    case "replaceAll":
      return sum + second * (first === 0 ? third + 1 : Math.floor(third / first));
    case "regexMatch":
      return first * second;
    case "indent":
      return second * (1 + Number(given[0]));
    case "containsAll":
    case "containsAny":
    case "containsNone":
    case "containsNotAll":
      return first * second;
    default:
      return sum;
  }
}

const nowhere: Place = { start: 0, end: 0 };

function fault({ start, end }: Place, message: string, hint?: string): TemplateFault {
  return new TemplateFault(message, start, end, hint);
}

function limit({ start, end }: Place, message: string, hint?: string): TemplateFault {
  return new TemplateLimitFault(message, start, end, hint);
}

function own(values: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

/** Keys have neither a slash at their ends nor two in a row. */
function cleanPath(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "")
    .join("/");
}

/** "name", "tag.name", "name|passing". What else Consul knows is told, as text. */
function serviceOf(written: string, takesTags: boolean): { readonly tag: string; readonly name: string } | string {
  const [plain = "", filter] = written.split("|");
  if (filter !== undefined && !/^(any|passing)$/.test(filter))
    return `"${filter}" is no filter; only passing instances are known`;
  if (/[@~?]/.test(plain))
    return `"${plain}": Muster has no data centres, nearness or queries here; write the name alone`;
  if (plain === "") return "needs the name of a service";
  const dot = takesTags ? plain.indexOf(".") : -1;
  return dot < 0 ? { tag: "", name: plain } : { tag: plain.slice(0, dot), name: plain.slice(dot + 1) };
}

/** What is missing, for people: "service db, key app/port and 2 more". */
export function missingText(missing: readonly TemplateNeed[]): string {
  const shownCount = 3;
  const names = missing.slice(0, shownCount).map(needText).join(", ");
  return missing.length > shownCount ? `${names} and ${missing.length - shownCount} more` : names;
}
