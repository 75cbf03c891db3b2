import {
  type CallHandler,
  type Cancel,
  type MethodName,
  MusterError,
  methodCodecs,
  type Result,
} from "@muster/foundation";
import type { Life } from "./life.ts";
import type { Links } from "./links.ts";
import type { Listener } from "./network.ts";
import type { World } from "./world.ts";

/** As our gRPC transport has it for calls that name no limit. */
const timeoutMsDefault = 30_000;

interface Place {
  readonly world: World;
  readonly links: Links;
  readonly listener: Listener | undefined;
}

interface Question {
  readonly method: MethodName;
  readonly request: unknown;
  readonly timeoutMs: number;
}

/**
 * One request, one answer, over a link that may lose either or carry the request twice. Lost means `too-late` after
 * the time limit or, by chance, `unavailable` before; both leave open whether the call was carried out.
 */
export function callOver(
  place: Place,
  caller: Life,
  question: Question,
  done: (result: Result<unknown>) => void,
): Cancel {
  const { world, links, listener } = place;
  let isOver = false;
  const tell = (kind: string, delayMs: number, result: () => Result<unknown>): void => {
    world.after(caller, delayMs, kind, () => {
      if (isOver) return;
      isOver = true;
      done(result());
    });
  };
  // Made when it is told: most calls are answered long before their time is over.
  const fail = (delayMs: number, kind: "unavailable" | "too-late", message: string): void =>
    tell("call-failed", delayMs, () => ({ ok: false, error: new MusterError(kind, `${question.method}: ${message}`) }));
  const timeoutMs = question.timeoutMs > 0 ? question.timeoutMs : timeoutMsDefault;
  fail(timeoutMs, "too-late", `no answer within ${timeoutMs} ms`);
  if (listener?.life.alive !== true) {
    fail(links.delayMs(caller.host, caller.host), "unavailable", "connect ECONNREFUSED");
    return () => {
      isOver = true;
    };
  }
  const route = new Route(place, caller, listener, question, (result) => {
    const { host } = listener.life;
    if (links.isCut(host, caller.host)) return;
    if (links.draw("call-loss", host, caller.host)) fail(lossNoticeMs(links, host, caller.host), "unavailable", "lost");
    else tell("answer", links.delayMs(host, caller.host), () => result);
  });
  world.onEnd(listener.life, () => {
    if (!isOver && !links.isCut(listener.life.host, caller.host))
      fail(1, "unavailable", "connection reset by the peer");
  });
  if (links.draw("call-loss", caller.host, listener.life.host))
    fail(lossNoticeMs(links, caller.host, listener.life.host), "unavailable", "lost");
  else route.deliver(true, 0);
  // The copy is behind the original, as a call that was made again would be: to be carried out again must do no harm.
  if (links.draw("duplicate", caller.host, listener.life.host))
    route.deliver(false, links.anyDelayMs(caller.host, listener.life.host, 10_000, 20_000));
  return () => {
    isOver = true;
    route.cancel();
  };
}

function lossNoticeMs(links: Links, from: string, to: string): number {
  return links.anyDelayMs(from, to, 0, 5_000);
}

/** The way of one call to its server and back. */
class Route {
  readonly #place: Place;
  readonly #caller: Life;
  readonly #listener: Listener;
  readonly #method: MethodName;
  readonly #request: Buffer;
  readonly #answered: (result: Result<unknown>) => void;
  #cancel: Cancel | undefined;

  constructor(
    place: Place,
    caller: Life,
    listener: Listener,
    { method, request }: Question,
    answered: (result: Result<unknown>) => void,
  ) {
    this.#place = place;
    this.#caller = caller;
    this.#listener = listener;
    this.#method = method;
    this.#request = methodCodecs(method).request.encode(request);
    this.#answered = answered;
  }

  /** Carries the request over; only of one delivery the answer comes back. */
  deliver(wantsAnswer: boolean, behindMs: number): void {
    const { world, links } = this.#place;
    const { life } = this.#listener;
    const delayMs = behindMs + links.delayMs(this.#caller.host, life.host);
    world.after(life, delayMs, "call", () => {
      if (links.isCut(this.#caller.host, life.host)) return;
      world.trace.add(world.nowMs, this.#method, this.#caller.name, life.name, this.#request);
      const cancel = this.#handle((result) => {
        if (wantsAnswer) this.#answered(result);
      });
      if (wantsAnswer) this.#cancel = cancel;
    });
  }

  cancel(): void {
    const { world, links } = this.#place;
    const { life } = this.#listener;
    world.after(life, links.delayMs(this.#caller.host, life.host), "call-cancelled", () => this.#cancel?.());
  }

  #handle(respond: (result: Result<unknown>) => void): Cancel | undefined {
    const codecs = methodCodecs(this.#method);
    let isAnswered = false;
    const answer = (result: Result<unknown>): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#cancel = undefined;
      if (!result.ok) respond(result);
      else respond({ ok: true, value: codecs.response.decode(codecs.response.encode(result.value)) });
    };
    const handler = this.#listener.handlers[this.#method] as unknown as CallHandler<"State.Get"> | undefined;
    if (handler === undefined) {
      const error = new MusterError("unsupported", `the server does not implement ${this.#method}`);
      answer({ ok: false, error });
      return undefined;
    }
    try {
      const peer = { address: this.#caller.name, principal: "local" };
      return handler(codecs.request.decode(this.#request) as never, peer, answer as never);
    } catch (error) {
      // A refusal thrown by a handler is its answer, as over gRPC; anything else is a bug and travels up.
      if (!(error instanceof MusterError)) throw error;
      answer({ ok: false, error });
      return undefined;
    }
  }
}
