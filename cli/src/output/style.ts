export type Colour = "red" | "green" | "yellow" | "blue" | "dim" | "bold";

const codes: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, blue: 34, dim: 2, bold: 1 };

export interface Style {
  readonly enabled: boolean;
  paint(colour: Colour, text: string): string;
}

/** Colour only for people who want it: on a terminal, without NO_COLOR, TERM=dumb or --no-color. */
export function styleFor(
  stream: { readonly isTTY?: boolean | undefined },
  environment: Readonly<Record<string, string | undefined>>,
  wanted: boolean,
): Style {
  const enabled = wanted && stream.isTTY === true && !environment["NO_COLOR"] && (environment["TERM"] ?? "") !== "dumb";
  return { enabled, paint: (colour, text) => (enabled ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text) };
}
