/** A template as a tree. `start` and `end` are places in its text. */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  /** `{{ $x := … }}` declares, `{{ $x = … }}` sets what is declared. */
  | { readonly kind: "assign"; readonly name: string; readonly declares: boolean; readonly pipe: Pipe }
  | {
      readonly kind: "if" | "with";
      readonly binding: string | undefined;
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[] | undefined;
    }
  | {
      readonly kind: "range";
      /** One name: the value. Two: its key or number, and the value. */
      readonly bindings: readonly string[];
      readonly pipe: Pipe;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[] | undefined;
    }
  | { readonly kind: "break" | "continue" }
  | { readonly kind: "call"; readonly name: string; readonly pipe: Pipe | undefined; readonly place: Place };

export interface Place {
  readonly start: number;
  readonly end: number;
}

/** What stands between bars: each command gets the value of the one before as its last argument. */
export interface Pipe extends Place {
  readonly commands: readonly Command[];
  /** Whoever wrote an `else` has said what stands there when there is nothing: nothing is waited for. */
  readonly hasElse?: boolean;
}

export type Command = Place & {
  readonly head: Operand;
  readonly arguments: readonly Operand[];
};

export type Operand = Place &
  (
    | { readonly kind: "literal"; readonly value: string | number | boolean | null }
    | { readonly kind: "dot" }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "pipe"; readonly pipe: Pipe }
    | { readonly kind: "field"; readonly of: Operand; readonly name: string }
  );

export interface Template {
  /** As it was written. */
  readonly text: string;
  readonly nodes: readonly Node[];
  /** What `define` gives names. */
  readonly named: ReadonlyMap<string, readonly Node[]>;
}
