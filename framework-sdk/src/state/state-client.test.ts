import { MusterError, seededRandom, type Transport } from "@muster/foundation";
import { expect, test } from "vitest";
import { createStateClient } from "./state-client.ts";

interface Asked {
  readonly method: string;
  readonly request: { readonly key?: string };
  readonly done: (result: unknown) => void;
}

/** A client whose calls are answered by hand, and whose timers ring at once when asked to. */
function aClient() {
  const asked: Asked[] = [];
  const timers: (() => void)[] = [];
  const transport = {
    call: (method: string, _address: string, request: Asked["request"], _timeoutMs: number, done: Asked["done"]) => {
      asked.push({ method, request, done });
      return () => {};
    },
  } as unknown as Transport;
  const clock = {
    monotonicMs: () => 0,
    epochMs: () => 0,
    after: (_delayMs: number, wake: () => void) => {
      timers.push(wake);
      return () => {};
    },
  };
  const client = createStateClient(
    { clock, random: seededRandom(1), transport },
    { address: "master:5050", framework: "f" },
  );
  return { client, asked, ring: () => timers.shift()?.() };
}

const lost = { ok: false, error: new MusterError("unavailable", "lost") };
const stale = { ok: false, error: new MusterError("stale", "changes[0].version: at 2, not 1") };
const entry = (value: string, version: number) => ({
  ok: true,
  value: { entry: { key: "", value: Buffer.from(value), version } },
});

function inDoubt(present: Readonly<Record<string, ReturnType<typeof entry>>>) {
  const { client, asked, ring } = aClient();
  const answers: { ok: boolean; value?: readonly number[] }[] = [];
  client.transact(
    [
      { key: "job", version: 1, put: Buffer.from("new") },
      { key: "notes", put: Buffer.from("first") },
    ],
    (result) => answers.push(result.ok ? { ok: true, value: result.value } : { ok: false }),
  );
  asked.shift()?.done(lost);
  ring();
  asked.shift()?.done(stale);
  for (let next = asked.shift(); next !== undefined; next = asked.shift()) next.done(present[next.request.key ?? ""]);
  return answers;
}

test("a write whose answer was lost is known for ours, also if what had no version was written anew since", () => {
  expect(inDoubt({ job: entry("new", 2), notes: entry("second", 7) })).toEqual([{ ok: true, value: [2, 7] }]);
});

test("a write whose answer was lost is stale if another one was there first", () => {
  expect(inDoubt({ job: entry("other", 2), notes: entry("first", 7) })).toEqual([{ ok: false }]);
});
