/** What a request says about itself, as far as letting it in depends on it. Header values are as received. */
export interface Arrival {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: set by browsers, out of reach for scripts. */
  readonly fetchSite: string | undefined;
  readonly contentType: string | undefined;
  /** The address that the connection came in on. */
  readonly localAddress: string | undefined;
}

/** Why a request is not answered. `status` is an HTTP status. */
export interface Turned {
  readonly status: 403 | 415 | 421;
  readonly message: string;
}

/**
 * Decides whether a request may come in. A name of somebody else's that resolves to this machine (rebinding) fails at
 * `Host`, a page of somebody else's that posts to this machine (forgery) at `Origin`.
 * @param names host names by which the edge may be called, lower case, without port
 */
export function turnAway(arrival: Arrival, names: ReadonlySet<string>): Turned | undefined {
  const name = hostName(arrival.host);
  if (name === undefined || !(names.has(name) || name === literal(arrival.localAddress))) {
    return { status: 421, message: "this host name is not served here; start the edge with it as an allowed host" };
  }
  if (arrival.method === "GET" || arrival.method === "HEAD") return undefined;
  if (arrival.origin !== undefined && !sameHost(arrival.origin, arrival.host ?? "")) {
    return { status: 403, message: "requests from pages of another origin are refused" };
  }
  if (arrival.fetchSite !== undefined && arrival.fetchSite !== "same-origin" && arrival.fetchSite !== "none") {
    return { status: 403, message: "requests from pages of another site are refused" };
  }
  // The types that a form or a plain `fetch` can send without asking first are none of these.
  if (!rpcContentType.test(arrival.contentType ?? "")) {
    return { status: 415, message: "content-type must be one of gRPC-Web or Connect" };
  }
  return undefined;
}

const rpcContentType = /^application\/(grpc-web(\+proto|\+json)?|connect\+(proto|json)|proto|json)\s*(;|$)/i;

/** The host of a `Host` header in lower case without its port; undefined if it is none. */
export function hostName(header: string | undefined): string | undefined {
  const found = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(header ?? "");
  return found?.[1]?.toLowerCase().replace(/\.$/, "");
}

/** The form that an address has in a `Host` header. Addresses can't be rebound: only names can. */
function literal(address: string | undefined): string | undefined {
  if (address === undefined) return undefined;
  const plain = address.startsWith("::ffff:") ? address.slice(7) : address;
  return plain.includes(":") ? `[${plain.toLowerCase()}]` : plain;
}

function sameHost(origin: string, host: string): boolean {
  try {
    const url = new URL(origin);
    return (
      (url.protocol === "http:" || url.protocol === "https:") && url.host === new URL(`${url.protocol}//${host}`).host
    );
  } catch {
    return false;
  }
}
