import { overlayDigest } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { afterAll, afterEach, expect } from "vitest";
import { httpServer } from "./bridge.support.ts";
import { testWith } from "./machine.ts";
import { aSubnet, blue, type Host, Lan, news, tools, untilListening } from "./overlay.support.ts";

const lan = Lan.use(afterEach);
/** Machines that many tests have together: each launches tasks of its own there, and leaves the network as it is. */
const common = Lan.use(afterAll, 1);
let ground: Promise<Ground> | undefined;

interface Ground {
  readonly one: Host;
  readonly two: Host;
  /** Answer of a server on the second machine, and its addresses; a task named "asks" on the first asks it. */
  readonly answer: string;
  readonly ip: string;
  readonly ip6: string;
}

function commonGround(): Promise<Ground> {
  ground ??= twoHosts(common).then(async ([one, two]) => {
    await Promise.all([launchServer(two, "web"), launchSleeper(one, "asks")]);
    const [ip = "", ip6 = ""] = two.ipsOf("web");
    return { one, two, answer: String(two.statusOf("web")?.container?.pid), ip, ip6 };
  });
  return ground;
}

/** Which of a machine's entries are about the peer with that subnet. */
function entriesAbout(host: Host, index: number): string[] {
  return host
    .entries()
    .filter((line) => new RegExp(`10\\.244\\.${index}\\.|fd44:0:0:${index}:|:f4:0${index}:`).test(line));
}

/** Two machines with an agent each, in one network, that know of each other. */
async function twoHosts(where: Lan): Promise<[Host, Host]> {
  const [one, two] = [where.host(), where.host()];
  await Promise.all([one.start(), two.start()]);
  const first = aSubnet(1, one.agentId, one.ip);
  const second = aSubnet(2, two.agentId, two.ip);
  await Promise.all([one.join(1, [second]), two.join(2, [first])]);
  return [one, two];
}

async function launchServer(host: Host, taskId: string): Promise<void> {
  const ports = [{ label: "http", to: 8080 }];
  host.master.launch({ taskId, networkMode: "overlay/blue", ports, spec: httpServer(8080) });
  await host.master.untilState(taskId, TaskState.TASK_RUNNING);
  await untilListening(host, taskId);
}

async function launchSleeper(host: Host, taskId: string): Promise<void> {
  const spec = { command: "sleep", arguments: ["600"] };
  host.master.launch({ taskId, networkMode: "overlay/blue", spec });
  await host.master.untilState(taskId, TaskState.TASK_RUNNING);
}

function curl(host: Host, taskId: string, address: string): string {
  return host.inTask(taskId, "curl", "-gsS", "--max-time", "2", `http://${address}/`);
}

testWith([...tools, "curl"], "case 42: a task reaches one of another host by its address, IPv4 and IPv6", async () => {
  const { one, two, answer, ip, ip6 } = await commonGround();
  expect([ip, ip6]).toEqual(["10.244.2.2", "fd44:0:0:2::2"]);
  expect(curl(one, "asks", `${ip}:8080`)).toBe(answer);
  expect(curl(one, "asks", `[${ip6}]:8080`)).toBe(answer);
  expect(two.statusOf("web")?.container?.ports).toEqual([{ label: "http", number: 0, to: 8080, protocol: "", ip }]);
});

testWith(
  tools,
  "an agent that registers again says what it knows; told that nothing has changed, it leaves all as it is",
  async () => {
    const host = lan.host();
    await host.start();
    const known = (): string =>
      host.master.requests.findLast(({ registration }) => registration)?.registration?.underlay?.knownDigest ?? "";
    expect(known()).toBe("");
    const peers = [aSubnet(2, "peer-2", "192.0.2.2"), aSubnet(3, "peer-3", "192.0.2.3")];
    const own = await host.join(1, peers);
    await expect.poll(() => entriesAbout(host, 3).length, { timeout: 2_000 }).toBeGreaterThan(0);
    const before = host.entries();
    const registrations = host.master.registrations;
    host.master.hangUp();
    await host.master.until(() => host.master.registrations > registrations, "another registration", 20_000);
    expect(known()).toBe(overlayDigest([blue], [own, ...peers]));
    host.master.say(news({ unchanged: true }));
    // What comes then counts on: a peer more, and one less.
    host.master.say(
      news({ subnet: aSubnet(4, "peer-4", "192.0.2.4") }, { removal: { network: "blue", agentId: "peer-3" } }),
    );
    await expect.poll(() => entriesAbout(host, 4).length, { timeout: 2_000 }).toBeGreaterThan(0);
    await expect.poll(() => entriesAbout(host, 3), { timeout: 2_000 }).toEqual([]);
    const rest = host.entries().filter((line) => !entriesAbout(host, 4).includes(line));
    expect(rest).toEqual(before.filter((line) => !/10\.244\.3\.|fd44:0:0:3:|:f4:03:/.test(line)));
    await launchSleeper(host, "still");
  },
);

testWith(tools, "case 43: a peer that comes later is known to the kernel within a second", async () => {
  const { one } = await commonGround();
  expect(entriesAbout(one, 9)).toEqual([]);
  const [device] = one.links("device");
  one.master.say(news({ subnet: aSubnet(9, "peer-9", "192.0.2.9") }));
  await expect
    .poll(() => entriesAbout(one, 9).map(simple), { timeout: 1_000, interval: 20 })
    .toEqual([
      "02:4d:0a:f4:09:00 dst 192.0.2.9 self permanent",
      "10.244.9.0 lladdr 02:4d:0a:f4:09:00 PERMANENT",
      `10.244.9.0/24 via 10.244.9.0 dev ${device} src 10.244.1.1 metric 10 onlink`,
      "fd44:0:0:9:: lladdr 02:4d:0a:f4:09:00 PERMANENT",
      `fd44:0:0:9::/64 via fd44:0:0:9:: dev ${device} src fd44:0:0:1::1 metric 1024 onlink pref medium`,
    ]);
});

testWith(tools, "case 44: a peer that leaves takes its entries along, and those of others stay", async () => {
  const { one } = await commonGround();
  const peers = [aSubnet(7, "peer-7", "192.0.2.7"), aSubnet(8, "peer-8", "192.0.2.8")];
  one.master.say(news(...peers.map((subnet) => ({ subnet }))));
  await expect.poll(() => entriesAbout(one, 8).length, { timeout: 2_000, interval: 20 }).toBe(5);
  // Somebody else's route in another range.
  one.run("ip", "route", "add", "10.99.0.0/24", "via", common.ip);
  const others = one.entries().filter((line) => !entriesAbout(one, 8).includes(line));
  one.master.say(news({ removal: { network: "blue", agentId: "peer-8" } }));
  await expect.poll(() => one.entries(), { timeout: 2_000, interval: 20 }).toEqual(others);
  expect(entriesAbout(one, 7)).toHaveLength(5);
  expect(one.run("ip", "route", "show", "10.99.0.0/24")).toContain(common.ip);
});

testWith([...tools, "curl"], "case 45: a device that somebody deletes is made again, and traffic is back", async () => {
  const { one, answer, ip, ip6 } = await commonGround();
  for (const kind of ["device", "bridge"] as const) {
    const [link = ""] = one.links(kind);
    const entries = one.entries();
    one.run("ip", "link", "del", link);
    await expect.poll(() => curl(one, "asks", `${ip}:8080`), { timeout: 5_000 }).toBe(answer);
    expect(curl(one, "asks", `[${ip6}]:8080`)).toBe(answer);
    expect(one.entries()).toEqual(entries);
  }
});

testWith(tools, "case 46: what fits passes uncut, and what does not is told so", async () => {
  const { one, ip } = await commonGround();
  expect(pingUncut(one, "asks", ip, 1_422)).toBe("answered");
  // EMSGSIZE: the sender hears of it, nothing is lost in silence.
  expect(pingUncut(one, "asks", ip, 1_423)).toMatch(/Message too long/);
});

testWith(
  [...tools, "curl"],
  "tasks leave to the world by their host's address, and keep their own within",
  async () => {
    const { one, two } = await commonGround();
    two.master.launch({
      taskId: "tells",
      networkMode: "overlay/blue",
      spec: { command: "perl", arguments: ["-e", tellsPeer] },
    });
    await untilListening(two, "tells");
    const outside = common.host();
    const server = outside.spawn("perl", "-e", tellsPeer);
    await server.listens;
    expect(curl(one, "asks", `${outside.ip}:8081`)).toBe(`::ffff:${one.ip}`);
    expect(curl(one, "asks", `${two.ipsOf("tells")[0]}:8081`)).toBe("::ffff:10.244.1.2");
  },
);

testWith([...tools, "curl"], "tasks are told where they are reached, whatever ports they name", async () => {
  const { one: host } = await commonGround();
  const spec = { command: "sh", arguments: ["-c", "env | grep -E '^MUSTER_(PORT|ADDR|HOST_PORT|IP)_' | sort"] };
  const ports = [{ label: "http", to: 8080 }, { label: "any" }, { label: "fixed", number: 7070 }];
  host.master.launch({ taskId: "look", networkMode: "overlay/blue", ports, spec });
  await host.master.untilState("look", TaskState.TASK_FINISHED);
  const ip = host.statusOf("look")?.container?.ports[0]?.ip;
  expect(host.outputOf("look").trim().split("\n")).toEqual([
    `MUSTER_ADDR_any=${ip}:20000`,
    `MUSTER_ADDR_fixed=${ip}:7070`,
    `MUSTER_ADDR_http=${ip}:8080`,
    "MUSTER_HOST_PORT_any=20000",
    "MUSTER_HOST_PORT_fixed=7070",
    "MUSTER_HOST_PORT_http=8080",
    `MUSTER_IP_any=${ip}`,
    `MUSTER_IP_fixed=${ip}`,
    `MUSTER_IP_http=${ip}`,
    "MUSTER_PORT_any=20000",
    "MUSTER_PORT_fixed=7070",
    "MUSTER_PORT_http=8080",
  ]);
});

testWith(
  [...tools, "curl"],
  "an agent that is killed leaves its network as it is, and the next one takes it up",
  async () => {
    const [one, two] = await twoHosts(lan);
    await Promise.all([launchServer(two, "web"), launchSleeper(one, "asks")]);
    const pid = String(two.statusOf("web")?.container?.pid);
    const entries = one.entries();
    await one.stop("SIGKILL");
    expect(curl(one, "asks", "10.244.2.2:8080")).toBe(pid);
    await one.start();
    // Its master has not said anything of networks yet: what there is stays.
    expect(one.entries()).toEqual(entries);
    await one.join(1, [aSubnet(2, two.agentId, two.ip), aSubnet(5, "peer-5", "192.0.2.5")]);
    await expect.poll(() => one.entries().length, { timeout: 2_000 }).toBe(entries.length + 5);
    expect(curl(one, "asks", "10.244.2.2:8080")).toBe(pid);
    await launchSleeper(one, "next");
    expect(one.ipsOf("next")).toEqual(["10.244.1.3", "fd44:0:0:1::3"]);
  },
);

testWith(
  tools,
  "an agent without its subnet keeps its tasks, takes no others, and says why; it leaves nothing",
  async () => {
    const host = lan.host();
    await host.start();
    await host.join(1);
    await launchSleeper(host, "stays");
    const heard = host.master.requests.length;
    host.master.say(news({ removal: { network: "blue", agentId: host.agentId } }));
    await host.master.until(
      () => host.master.requests.slice(heard).some(({ update }) => update?.networks),
      "news of its networks",
    );
    expect(host.modes).not.toContain("overlay/blue");
    expect(host.unavailable).toContain("network/overlay/blue: the master has not given this agent a subnet yet");
    host.master.launch({ taskId: "late", networkMode: "overlay/blue", spec: { command: "true" } });
    await host.master.untilState("late", TaskState.TASK_DROPPED);
    expect(host.statusOf("stays")?.state).toBe(TaskState.TASK_RUNNING);
    host.master.say(news({ subnet: aSubnet(1, host.agentId, host.ip) }));
    await host.untilMode("overlay/blue");
    await launchSleeper(host, "next");
    expect(host.ipsOf("next")[0]).toBe("10.244.1.3");
    await host.stop("SIGTERM");
    expect([host.links("device"), host.links("bridge"), host.entries()]).toEqual([[], [], []]);
    expect(host.run("nft", "list", "tables")).toBe("");
  },
);

testWith(tools, "a network that the host reaches otherwise is refused with that route", async () => {
  const host = lan.host();
  await host.start();
  host.run("ip", "route", "add", "10.244.7.0/24", "via", lan.ip);
  const own = aSubnet(1, host.agentId, host.ip);
  host.master.say(news({ network: blue }, { subnet: own }, { complete: true }));
  await expect
    .poll(() => host.unavailable.join(), { timeout: 5_000 })
    .toMatch(/network\/overlay\/blue: .*10\.244\.0\.0\/16 overlaps the host's route 10\.244\.7\.0\/24 on up0/);
  host.run("ip", "route", "del", "10.244.7.0/24");
  await host.untilMode("overlay/blue");
});

/** Without what depends on the version of the tools. */
function simple(line: string): string {
  return line
    .replace(/\s+/g, " ")
    .replace(/ proto \S+/, "")
    .trim();
}

/** One echo request of so many bytes that nobody may cut; "answered", or what the kernel says. */
function pingUncut(host: Host, taskId: string, ip: string, bytes: number): string {
  return host.inTask(taskId, "perl", "-e", ping, ip, String(bytes));
}

const ping = `
  use Socket;
  my ($ip, $bytes) = @ARGV;
  socket(my $s, AF_INET, SOCK_RAW, 1) or die "socket: $!";
  setsockopt($s, 0, 10, pack("i", 2)) or die "setsockopt: $!";
  my $body = pack("CCnnn", 8, 0, 0, $$ & 0xffff, 1) . ("x" x $bytes);
  my $sum = unpack("%32n*", $body . "\\0");
  $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
  substr($body, 2, 2) = pack("n", ~$sum & 0xffff);
  send($s, $body, 0, sockaddr_in(0, inet_aton($ip))) or die "$!\\n";
  my $ready = "";
  vec($ready, fileno($s), 1) = 1;
  die "no answer\\n" unless select($ready, undef, undef, 2);
  print "answered";`;

/** Answers one who asks with the address that he comes from. */
const tellsPeer = `
  use IO::Socket::IP;
  $| = 1;
  my $server = IO::Socket::IP->new(LocalHost => "::", LocalPort => 8081, Listen => 4, V6Only => 0) or die "listen: $@";
  print "listens\\n";
  while (my $client = $server->accept) {
    my $text = $client->peerhost;
    print $client "HTTP/1.0 200 OK\\r\\ncontent-length: " . length($text) . "\\r\\n\\r\\n$text";
  }`;
