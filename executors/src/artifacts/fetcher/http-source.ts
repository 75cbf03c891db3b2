import { type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import type { AddressRules, HostAddress } from "./addresses.ts";
import { FetchFailure } from "./fetch-failure.ts";

/** How often an answer may send us elsewhere. */
export const redirectsMax = 10;
/** A server that says nothing for so long is given up. */
export const silenceMsMax = 60_000;

export interface HttpQuestion {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly insecure: boolean;
  readonly rules: AddressRules;
}

/** Asks for a file, follows redirects, and gives the answer's body. What was asked for is sent to nobody but its own host. */
export async function openHttp({ url, headers, insecure, rules }: HttpQuestion): Promise<IncomingMessage> {
  const first = new URL(url);
  let place = first;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const addresses = await rules.resolve(place.hostname);
    const isOwn = place.origin === first.origin;
    const answer = await ask(place, isOwn ? headers : {}, isOwn && insecure, addresses);
    const { statusCode = 0 } = answer;
    const next = answer.headers.location;
    if (statusCode >= 300 && statusCode < 400 && next !== undefined) {
      answer.destroy();
      place = nextPlace(next, place);
      continue;
    }
    if (statusCode === 200) return answer;
    answer.destroy();
    throw new FetchFailure(`${place.host} answered ${statusCode} ${answer.statusMessage ?? ""}`.trim());
  }
  throw new FetchFailure(`more than ${redirectsMax} redirects`);
}

function nextPlace(location: string, from: URL): URL {
  const place = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (!place || (place.protocol !== "http:" && place.protocol !== "https:"))
    throw new FetchFailure(`${from.host} sends to a place that is no http or https URL`);
  if (from.protocol === "https:" && place.protocol === "http:")
    throw new FetchFailure(`${from.host} sends from https to http, where anybody could answer`);
  return place;
}

function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  insecure: boolean,
  addresses: readonly HostAddress[],
): Promise<IncomingMessage> {
  // Whatever the name means by now: only what was looked at is asked.
  const lookup: LookupFunction = (_host, options, done) => {
    const [one] = addresses;
    if (options.all) done(null, [...addresses]);
    else done(null, one?.address ?? "", one?.family);
  };
  const isSecure = url.protocol === "https:";
  return new Promise((resolve, reject) => {
    const send = isSecure ? requestHttps : requestHttp;
    const request = send(url, {
      headers: { "user-agent": "muster", "accept-encoding": "identity", ...headers },
      lookup,
      agent: false,
      timeout: silenceMsMax,
      ...(isSecure ? { rejectUnauthorized: !insecure } : {}),
    });
    request.on("response", resolve);
    request.on("timeout", () =>
      request.destroy(new FetchFailure(`${url.host} said nothing for ${silenceMsMax / 1_000} s`)),
    );
    request.on("error", (error: NodeJS.ErrnoException) =>
      reject(error instanceof FetchFailure ? error : new FetchFailure(`${url.host}: ${textOf(error)}`)),
    );
    request.end();
  });
}

function textOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === "ECONNREFUSED") return "nobody listens there";
  if (code?.startsWith("ERR_TLS") || /certificate/i.test(message)) return `it can't prove who it is: ${message}`;
  return message || (code ?? "the connection failed");
}
