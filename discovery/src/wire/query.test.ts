import { randomInt, seededRandom } from "@muster/foundation";
import packets from "dns-packet";
import { expect, test } from "vitest";
import { ScriptedMaster, task } from "../scripted-master.test.fixture.ts";
import { dottedName, parentName, wireName } from "./name.ts";
import { readQuery } from "./query.ts";

/** Enough for every branch of the parser many times over; set MUSTER_SEED for other packets. */
const rounds = 60_000;

test("case 44: no packet makes it throw, answer too much, or answer what is no question", () => {
  const random = seededRandom(process.env["MUSTER_SEED"] ?? "fuzz");
  const master = new ScriptedMaster();
  const discovery = master.discovery();
  master.snapshot(Array.from({ length: 30 }, (_, i) => task({ id: `web.${i}`, ip: `10.0.0.${i}` })));
  const seeds = ["A", "SRV", "NS", "ANY"].map((type) =>
    packets.encode({
      type: "query",
      id: 99,
      questions: [{ type: type as packets.RecordType, name: "_http._web._tcp.services.muster" }],
      additionals: [{ type: "OPT", name: ".", udpPayloadSize: 4_096, flags: 0, options: [] } as never],
    }),
  );
  let answered = 0;
  const wrong: string[] = [];
  for (let i = 0; i < rounds; i++) {
    const packet = Buffer.from(seeds[i % seeds.length] ?? Buffer.alloc(0));
    for (let change = randomInt(random, 4); change >= 0; change--)
      packet[randomInt(random, packet.length)] = randomInt(random, 256);
    const cut = packet.subarray(0, random.next() < 0.2 ? randomInt(random, packet.length) : packet.length);
    const answer = discovery.answer(cut, { tcp: false, peer: "127.0.0.1" });
    if (!answer) {
      if (cut.length >= 12 && ((cut[2] ?? 0) & 0x80) === 0) wrong.push(`no answer to ${cut.toString("hex")}`);
      continue;
    }
    answered += 1;
    if (answer.length > 1_232 || answer[0] !== cut[0] || answer[1] !== cut[1]) wrong.push(cut.toString("hex"));
    if (i % 16 === 0 && ((answer[3] ?? 0) & 15) === 0) packets.decode(Buffer.from(answer));
  }
  expect(wrong).toEqual([]);
  expect(answered).toBeGreaterThan(rounds / 4);
  expect(discovery.zone.names().length).toBeLessThan(200);
});

test("a question's name with a pointer, without an end or over 255 bytes is malformed", () => {
  const header = Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const question = Buffer.from([0, 1, 0, 1]);
  const whole = (name: Buffer) => readQuery(Buffer.concat([header, name, question])).kind;
  expect(whole(Buffer.from([3, 97, 97, 97, 0]))).toBe("question");
  expect(whole(Buffer.from([0xc0, 12]))).toBe("malformed");
  expect(whole(Buffer.from([63, 97]))).toBe("malformed");
  const labels = Buffer.concat(
    Array.from({ length: 5 }, () => Buffer.concat([Buffer.from([60]), Buffer.alloc(60, 97)])),
  );
  expect(whole(Buffer.concat([labels, Buffer.from([0])]))).toBe("malformed");
});

test("names go to the wire and back", () => {
  expect(dottedName(wireName("Web.Services.muster") ?? "")).toBe("web.services.muster");
  expect(parentName(wireName("a.b") ?? "")).toBe(wireName("b"));
  expect(wireName("a..b")).toBeUndefined();
  expect(wireName("a".repeat(64))).toBeUndefined();
  expect(wireName(Array.from({ length: 128 }, () => "a").join("."))).toBeUndefined();
});
