import { Buffer } from "node:buffer";
import packets from "dns-packet";
import { expect, test } from "vitest";
import type { Discovery } from "../discovery.ts";
import { ask, framework, read, ScriptedMaster, type TaskShape, task } from "../scripted-master.test.fixture.ts";

const web = "web.services.muster";
const webPort = "_http._web._tcp.services.muster";

function serving(...shapes: TaskShape[]): Discovery {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot([framework("services"), ...shapes.map((shape) => task(shape))]);
  return discovery;
}

function many(count: number): TaskShape[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `web.${i}`,
    agent: `a-${i}`,
    ip: `10.0.${i >> 8}.${i & 255}`,
    ports: [["http", 20_000 + i]],
  }));
}

function raw(discovery: Discovery, packet: Uint8Array, tcp = false): Buffer | undefined {
  const answer = discovery.answer(packet, { tcp, peer: "127.0.0.1" });
  return answer ? Buffer.from(answer) : undefined;
}

function query(name: string, type: string, change: (packet: Buffer) => void = () => {}): Buffer {
  const packet = packets.encode({ type: "query", id: 7, questions: [{ type: type as packets.RecordType, name }] });
  change(packet);
  return packet;
}

test("case 4: the longest name has room for its underscore", () => {
  const name = "n".repeat(62);
  const discovery = serving({ name, endpoints: [[name, "http"]] });
  expect(ask(discovery, `_${name}._tcp.services.muster`, "SRV").answers).toHaveLength(1);
});

test("case 9: a port's name asks for that port alone", () => {
  const discovery = serving({
    endpoints: [
      ["web", "http"],
      ["web", "admin"],
    ],
    ports: [
      ["http", 8_080, "tcp"],
      ["admin", 9_090, "tcp"],
    ],
  });
  expect(ask(discovery, webPort, "SRV").answers).toEqual([expect.stringContaining("0 1 8080 web-")]);
  expect(ask(discovery, "_web._tcp.services.muster", "SRV").answers).toHaveLength(2);
});

test("case 10: a task without ports has an address and no SRV record", () => {
  const discovery = serving({ endpoints: [["web", ""]], ports: [] });
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  expect(ask(discovery, web, "SRV")).toMatchObject({ code: "NOERROR", answers: [], authority: ["muster SOA"] });
});

test("case 12: a task with addresses of its own answers with them and its own port", () => {
  const discovery = serving({ ips: ["172.16.0.9", "fd00::9"], ports: [["http", 80]] });
  expect(ask(discovery, web, "A").answers).toEqual(["172.16.0.9"]);
  expect(ask(discovery, web, "AAAA").answers).toEqual(["fd00::9"]);
  expect(ask(discovery, webPort, "SRV").answers).toEqual([expect.stringContaining("0 1 80 web-")]);
});

test("case 13: two tasks of an agent are two targets; equal names of two frameworks stay apart", () => {
  const discovery = serving(
    { id: "web.0", ports: [["http", 1_000]] },
    { id: "web.1", ports: [["http", 1_001]] },
    { id: "web.0", framework: "other", ip: "10.0.0.7", ports: [["http", 1_002]] },
  );
  const targets = ask(discovery, webPort, "SRV").answers.map((answer) => answer.split(" ")[3]);
  expect(new Set(targets).size).toBe(2);
  expect(ask(discovery, web, "A").answers).toEqual(["10.0.0.1"]);
  expect(ask(discovery, "web.other.muster", "A").answers).toEqual(["10.0.0.7"]);
});

test("case 24: each of three instances is first in a third of the answers", () => {
  const discovery = serving(...many(3));
  for (const [name, type] of [
    [web, "A"],
    [webPort, "SRV"],
  ] as const) {
    const first = new Map<string, number>();
    for (let i = 0; i < 3_000; i++) {
      const answer = ask(discovery, name, type).answers[0] ?? "";
      first.set(answer, (first.get(answer) ?? 0) + 1);
    }
    expect(first.size).toBe(3);
    for (const count of first.values()) {
      expect(count).toBeGreaterThan(900);
      expect(count).toBeLessThan(1_110);
    }
  }
});

test("case 25: an SRV answer carries every address of every target", () => {
  const discovery = serving(
    { id: "web.0", ips: ["172.16.0.1", "fd00::1"], ports: [["http", 80]] },
    { id: "web.1", ips: ["172.16.0.2", "fd00::2"], ports: [["http", 80]] },
  );
  const { additional } = ask(discovery, webPort, "SRV");
  expect(additional.sort()).toEqual(["172.16.0.1", "172.16.0.2", "fd00::1", "fd00::2"]);
});

test("case 26: what is too big for plain UDP comes in part with TC, and whole over TCP", () => {
  const discovery = serving(...many(40));
  const part = ask(discovery, webPort, "SRV");
  expect(part).toMatchObject({ code: "NOERROR", isTruncated: true, additional: [] });
  expect(part.bytes).toBeLessThanOrEqual(512);
  expect(part.answers.length).toBeGreaterThan(4);
  const whole = ask(discovery, webPort, "SRV", { tcp: true });
  expect(whole.isTruncated).toBe(false);
  expect(new Set(whole.answers).size).toBe(40);
  expect(whole.additional).toHaveLength(40);
});

test("parts differ from answer to answer, so that every record is seen", () => {
  const discovery = serving(...many(40));
  const seen = new Set<string>();
  for (let i = 0; i < 500; i++) for (const answer of ask(discovery, webPort, "SRV").answers) seen.add(answer);
  expect(seen.size).toBe(40);
});

test("case 27: with EDNS an answer over UDP has at most 1,232 bytes, whatever the client takes", () => {
  const discovery = serving(...many(40));
  const part = ask(discovery, webPort, "SRV", { edns: 4_096 });
  expect(part.isTruncated).toBe(true);
  expect(part.bytes).toBeLessThanOrEqual(1_232);
  expect(part.bytes).toBeGreaterThan(1_100);
});

test("case 28: additional records that do not fit go without a word", () => {
  const discovery = serving(...many(6));
  const whole = ask(discovery, webPort, "SRV", { tcp: true });
  expect(whole.additional).toHaveLength(6);
  const small = ask(discovery, webPort, "SRV");
  expect(small).toMatchObject({ isTruncated: false, additional: [] });
  expect(small.answers.sort()).toEqual(whole.answers.sort());
});

test("case 29: an EDNS version that we do not speak is answered BADVERS with our OPT", () => {
  const discovery = serving({});
  const packet = packets.encode({
    type: "query",
    id: 7,
    questions: [{ type: "A", name: web }],
    additionals: [{ type: "OPT", name: ".", udpPayloadSize: 1_232, ednsVersion: 1, flags: 0, options: [] } as never],
  });
  const answer = raw(discovery, packet);
  const opt = packets.decode(answer ?? Buffer.alloc(0)).additionals?.[0] as unknown as { extendedRcode: number };
  expect(opt.extendedRcode).toBe(1);
  expect((answer?.readUInt16BE(2) ?? 1) & 15).toBe(0);
});

test("case 30: who does not speak EDNS is not spoken to in it", () => {
  const discovery = serving({});
  expect(ask(discovery, web, "A").packet.additionals).toEqual([]);
  expect(ask(discovery, web, "A", { edns: 1_232 }).packet.additionals).toHaveLength(1);
  expect(ask(discovery, "x.muster", "A", { edns: 1_232 }).packet.additionals).toHaveLength(1);
  expect(ask(discovery, "example.com", "A", { edns: 1_232 }).packet.additionals).toHaveLength(1);
});

test("case 31: two OPT records are an error, an unknown option is none", () => {
  const discovery = serving({});
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1_232, flags: 0, options: [] };
  const unknown = { ...opt, options: [{ code: 65_001, data: Buffer.from("x") }] };
  const withOpts = (additionals: unknown[]) =>
    packets.encode({
      type: "query",
      id: 7,
      questions: [{ type: "A", name: web }],
      additionals: additionals as packets.Answer[],
    });
  expect((raw(discovery, withOpts([opt, opt]))?.readUInt16BE(2) ?? 0) & 15).toBe(1);
  expect(read(raw(discovery, withOpts([unknown])) ?? Buffer.alloc(0)).answers).toEqual(["10.0.0.1"]);
});

/** Asks with a cookie; gives back the one of the answer, and the answer. */
function askWithCookie(discovery: Discovery, cookie: Buffer, peer = "10.0.0.7"): { cookie: Buffer; answers: string[] } {
  const opt = { type: "OPT", name: ".", udpPayloadSize: 1_232, flags: 0, options: [{ code: 10, data: cookie }] };
  const packet = packets.encode({
    type: "query",
    id: 7,
    questions: [{ type: "A", name: web }],
    additionals: [opt] as unknown as packets.Answer[],
  });
  const answer = Buffer.from(discovery.answer(packet, { tcp: false, peer }) ?? []);
  const { additionals } = packets.decode(answer);
  const found = additionals?.find(({ type }) => type === "OPT") as unknown as {
    options: { code: number; data: Buffer }[];
  };
  return {
    cookie: found.options.find(({ code }) => code === 10)?.data ?? Buffer.alloc(0),
    answers: read(answer).answers,
  };
}

test("case 32: a cookie is answered with a server cookie of this client, and a wrong one with a fresh one", () => {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot([framework("services"), task()]);
  const client = Buffer.from("0123456789abcdef", "hex");
  const first = askWithCookie(discovery, client);
  expect(first.answers).toEqual(["10.0.0.1"]);
  expect(first.cookie).toHaveLength(24);
  expect(first.cookie.subarray(0, 8)).toEqual(client);
  expect(first.cookie.subarray(8, 12)).toEqual(Buffer.from([1, 0, 0, 0]));
  expect(first.cookie.readUInt32BE(12)).toBe(Math.floor(master.clock.epochMs() / 1_000));
  // The same client at the same time; then another client, another address, another time.
  expect(askWithCookie(discovery, first.cookie).cookie).toEqual(first.cookie);
  const hashOf = (cookie: Buffer) => cookie.subarray(16).toString("hex");
  const others = [
    askWithCookie(discovery, Buffer.from("fedcba9876543210", "hex")).cookie,
    askWithCookie(discovery, client, "10.0.0.8").cookie,
  ];
  master.clock.advance(2_000);
  others.push(askWithCookie(discovery, client).cookie);
  expect(new Set([first.cookie, ...others].map(hashOf)).size).toBe(4);
  const wrong = Buffer.concat([client, Buffer.alloc(16, 0xee)]);
  const fresh = askWithCookie(discovery, wrong);
  expect(fresh.answers).toEqual(["10.0.0.1"]);
  expect(fresh.cookie).toEqual(others[2]);
});

test("a cookie of a length that is none is an error", () => {
  const opt = (length: number) => ({
    type: "OPT",
    name: ".",
    udpPayloadSize: 1_232,
    flags: 0,
    options: [{ code: 10, data: Buffer.alloc(length) }],
  });
  const discovery = serving({});
  const codeOf = (length: number) => {
    const packet = packets.encode({
      type: "query",
      id: 7,
      questions: [{ type: "A", name: web }],
      additionals: [opt(length)] as unknown as packets.Answer[],
    });
    return (raw(discovery, packet)?.readUInt16BE(2) ?? 0) & 15;
  };
  expect([7, 8, 9, 15, 16, 40, 41].map(codeOf)).toEqual([1, 0, 1, 1, 0, 0, 1]);
});

test("case 33: a missing name is NXDOMAIN for every type, with the apex's SOA and its five seconds", () => {
  const discovery = serving({});
  for (const type of ["A", "SRV", "TXT"]) {
    const answer = ask(discovery, "nobody.services.muster", type);
    expect(answer).toMatchObject({ code: "NXDOMAIN", isAuthoritative: true, authority: ["muster SOA"] });
    const soa = answer.packet.authorities?.[0];
    expect(soa).toMatchObject({ ttl: 5, data: { mname: "ns1.muster", rname: "hostmaster.muster", minimum: 5 } });
  }
});

test("case 34: a name without that type is NOERROR with SOA", () => {
  const discovery = serving({});
  expect(ask(discovery, web, "AAAA")).toMatchObject({ code: "NOERROR", answers: [], authority: ["muster SOA"] });
});

test("case 35: the apex and names that only have names below them exist", () => {
  const discovery = serving({});
  for (const name of ["_tcp.services.muster", "services.muster", "agent.muster", "muster", "_web._tcp.services.muster"])
    expect(ask(discovery, name, "A"), name).toMatchObject({ code: "NOERROR", answers: [], authority: ["muster SOA"] });
  expect(ask(serving(), "_tcp.services.muster", "A").code).toBe("NXDOMAIN");
  expect(ask(serving(), "services.muster", "A").code).toBe("NOERROR");
});

test("case 36: SOA and NS stand in the answer at the apex and nowhere else", () => {
  const discovery = serving({});
  expect(ask(discovery, "muster", "SOA")).toMatchObject({ isAuthoritative: true, owners: ["muster"], authority: [] });
  expect(ask(discovery, "muster", "NS")).toMatchObject({ answers: ["ns1.muster"], additional: ["127.0.0.1"] });
  expect(ask(discovery, "x.muster", "SOA")).toMatchObject({ answers: [], authority: ["muster SOA"] });
});

test("case 37: a name comes back in the spelling of the question", () => {
  const discovery = serving({});
  const answer = ask(discovery, "wEb.SeRvices.MUSTER", "A");
  expect(answer.answers).toEqual(["10.0.0.1"]);
  expect(answer.owners).toEqual(["wEb.SeRvices.MUSTER"]);
  expect(answer.packet.questions?.[0]?.name).toBe("wEb.SeRvices.MUSTER");
  expect(ask(discovery, "nO.mUsTer", "A").authority).toEqual(["mUsTer SOA"]);
});

test("case 38: targets of SRV records are written out", () => {
  const discovery = serving({});
  const answer = raw(discovery, query(webPort, "SRV")) ?? Buffer.alloc(0);
  const end = query(webPort, "SRV").length;
  const length = answer.readUInt16BE(end + 10);
  const rdata = answer.subarray(end + 12, end + 12 + length);
  for (let at = 6; at < rdata.length; at += (rdata[at] ?? 0) + 1) expect(rdata[at]).toBeLessThan(64);
  expect(rdata.at(-1)).toBe(0);
});

test("case 39: who asks for everything gets one small record", () => {
  const discovery = serving(...many(40));
  const answer = ask(discovery, web, "ANY");
  expect(answer.answers).toHaveLength(1);
  expect(answer.bytes).toBeLessThan(200);
  expect(ask(discovery, "nobody.muster", "ANY").code).toBe("NXDOMAIN");
});

test("case 40: an unknown type of a known name is NOERROR without records", () => {
  const discovery = serving({});
  const packet = query(web, "A", (bytes) => bytes.writeUInt16BE(65_280, bytes.length - 4));
  const answer = raw(discovery, packet) ?? Buffer.alloc(0);
  expect(answer.readUInt16BE(2) & 15).toBe(0);
  expect(answer.readUInt16BE(6)).toBe(0);
  expect(answer.readUInt16BE(8)).toBe(1);
});

test("case 41: version.bind in CHAOS is answered with the text that was set, refused without one, and always in IN", () => {
  const asked = (discovery: Discovery, name: string, type: string, ofClass: number) => {
    const packet = query(name, type, (bytes) => bytes.writeUInt16BE(ofClass, bytes.length - 2));
    const answer = raw(discovery, packet) ?? Buffer.alloc(12);
    const { answers } = packets.decode(answer);
    return { code: answer.readUInt16BE(2) & 15, answers };
  };
  const master = new ScriptedMaster();
  const telling = master.discovery({ chaosTexts: { "version.bind": "muster", "id.server": "one" } });
  master.snapshot([task()]);
  const text = (name: string, data: string) => ({ name, type: "TXT", class: "CH", ttl: 0, data: [Buffer.from(data)] });
  expect(asked(telling, "Version.Bind", "TXT", 3)).toMatchObject({
    code: 0,
    answers: [text("Version.Bind", "muster")],
  });
  expect(asked(telling, "id.server", "TXT", 3)).toMatchObject({ code: 0, answers: [text("id.server", "one")] });
  expect(asked(telling, "version.bind", "TXT", 1)).toEqual({ code: 5, answers: [] });
  expect(asked(telling, "hostname.bind", "TXT", 3)).toEqual({ code: 5, answers: [] });
  expect(asked(telling, web, "A", 3)).toEqual({ code: 5, answers: [] });
  expect(asked(serving({}), "version.bind", "TXT", 3)).toEqual({ code: 5, answers: [] });
});

test("other zones, classes and transfers are refused", () => {
  const discovery = serving({});
  expect(ask(discovery, "example.com", "A")).toMatchObject({ code: "REFUSED", isAuthoritative: false });
  expect(ask(discovery, "notmuster", "A").code).toBe("REFUSED");
  expect(ask(discovery, "muster", "AXFR").code).toBe("REFUSED");
  const chaos = query("version.bind", "TXT", (bytes) => bytes.writeUInt16BE(3, bytes.length - 2));
  expect((raw(discovery, chaos)?.readUInt16BE(2) ?? 0) & 15).toBe(5);
});

test("case 42: no question, two questions and other operations are errors of their own", () => {
  const discovery = serving({});
  const codeOf = (packet: Buffer): number => (raw(discovery, packet)?.readUInt16BE(2) ?? 0) & 15;
  expect(codeOf(query(web, "A", (bytes) => bytes.writeUInt16BE(0, 4)))).toBe(1);
  expect(codeOf(query(web, "A", (bytes) => bytes.writeUInt16BE(2, 4)))).toBe(1);
  expect(codeOf(query(web, "A", (bytes) => bytes.writeUInt16BE(5 << 11, 2)))).toBe(4);
});

test("case 43: answers and fragments are met with silence", () => {
  const discovery = serving({});
  expect(
    raw(
      discovery,
      query(web, "A", (bytes) => bytes.writeUInt16BE(0x8000, 2)),
    ),
  ).toBeUndefined();
  expect(raw(discovery, Buffer.from([1, 2, 3]))).toBeUndefined();
  expect(raw(discovery, Buffer.alloc(0))).toBeUndefined();
});

test("case 53: the serial moves with visible changes alone, and never back", () => {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot([task()]);
  const first = discovery.status().serial;
  master.clock.advance(60 * 60 * 1_000);
  master.change(task());
  expect(discovery.status().serial).toBe(first);
  master.change(task({ id: "web.1", ip: "10.0.0.2" }));
  expect(discovery.status().serial).toBeGreaterThan(first);
});

test("when all tasks have ended the zone holds what it held before", () => {
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot();
  const before = { names: discovery.zone.names().sort(), records: discovery.zone.recordCount };
  for (const shape of many(20)) master.change(task(shape));
  expect(discovery.zone.recordCount).toBeGreaterThan(before.records + 60);
  for (const { id } of many(20))
    master.change({
      sequence: 0,
      taskRemoved: { frameworkId: "f-services", taskId: String(id) },
      change: "taskRemoved",
    });
  expect({ names: discovery.zone.names().sort(), records: discovery.zone.recordCount }).toEqual(before);
  expect(ask(discovery, "_tcp.services.muster", "A").code).toBe("NXDOMAIN");
});
