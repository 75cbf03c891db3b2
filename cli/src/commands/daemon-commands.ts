import type { CommandSpec, OptionSpec } from "../command.ts";
import { exitCode } from "../exit-codes.ts";

const exits: readonly number[] = [exitCode.done, exitCode.failed, exitCode.usage];
const shared: readonly OptionSpec[] = [
  { flags: "--config <file>", help: "file of name = value lines; flags and MUSTER_NAME variables win over it" },
  { flags: "--log-level <level>", help: "debug, info, warn or error (default: info)" },
  { flags: "--supervised", help: "started by `muster dev`, which holds the other end of descriptor 3", hidden: true },
];
const master: OptionSpec = {
  flags: "--master <host:port>",
  help: "the master, or several with commas in between (default: 127.0.0.1:5050)",
};

function daemon(
  name: string,
  summary: string,
  options: readonly OptionSpec[],
  examples: CommandSpec["examples"],
  load: CommandSpec["load"],
): CommandSpec {
  return {
    path: `daemon ${name}`,
    summary,
    arguments: [],
    options: [...options, ...shared],
    examples,
    capability: "none",
    exits,
    hidden: true,
    outlivesReader: true,
    schema: `muster.daemon.${name}/1`,
    load,
  };
}

/** `muster daemon …`: what `muster dev` starts, and what init systems start on machines of a larger cluster. */
export const daemonCommands: readonly CommandSpec[] = [
  daemon(
    "master",
    "run a master",
    [
      { flags: "--data-dir <folder>", help: "folder of its store, if that is not etcd" },
      { flags: "--listen <host:port>", help: "its gRPC server (default: 127.0.0.1:5050)" },
      { flags: "--advertise <host:port>", help: "where the others find it; as --listen if absent" },
      { flags: "--store <url>", help: "etcd that several masters share, as etcd://10.0.0.1:2379,10.0.0.2:2379/muster" },
      { flags: "--etcd-ca <file>", help: "authorities by which etcd is known, for etcds:// (default: the system's)" },
      { flags: "--etcd-cert <file>", help: "certificate by which etcd knows the master" },
      { flags: "--etcd-key <file>", help: "its key" },
      { flags: "--etcd-user <name>", help: "by which etcd knows the master, where it asks" },
      { flags: "--etcd-password-file <file>", help: "whose first line is the password" },
      { flags: "--lease-seconds <count>", help: "without a word to etcd after which another may lead (default: 5)" },
      { flags: "--offer-timeout-ms <ms>", help: "an offer that is not answered is taken back after so long" },
      { flags: "--unreachable-interval-ms <ms>", help: "at most one agent is given up in so long (default: no limit)" },
      {
        flags: "--overlays <networks>",
        help: 'networks over all agents, with commas in between, as "blue 10.244.0.0/16 fd44::/48 backend=vxlan"',
      },
    ],
    [
      "daemon master --data-dir /var/lib/muster/master",
      "daemon master --listen 10.0.0.1:5050 --store etcd://10.0.0.1:2379,10.0.0.2:2379,10.0.0.3:2379",
      "daemon master --config /etc/muster/master.conf",
    ],
    () => import("../daemons/master.ts"),
  ),
  daemon(
    "agent",
    "run an agent: SIGTERM ends its tasks, SIGKILL leaves them to the next agent of the folder",
    [
      { flags: "--data-dir <folder>", help: "folder of its tasks and records" },
      { flags: "--listen <host:port>", help: "its gRPC server (default: 127.0.0.1:5051)" },
      master,
      { flags: "--name <name>", help: "what people call it; the host's name if absent" },
      { flags: "--ip <address>", help: "address under which tasks are reached; the host's first if absent" },
      { flags: "--task-port-first <port>", help: "first port that tasks get (default: 20000)" },
      { flags: "--task-port-last <port>", help: "last port that tasks get (default: 32000)" },
      { flags: "--host-networks <list>", help: "networks with names, as in private=10.0.0.0/8,public=eth0" },
      { flags: "--enforce-ports <off|warn|kill>", help: "tasks in the host's network keep to the ports that they got" },
      {
        flags: "--lend-cpu <percent>",
        help: "of what tasks were given and do not use, lent as revocable (default: 0)",
      },
      { flags: "--bridge-subnet <subnet>", help: "IPv4 of tasks in network mode bridge (default: 10.78.0.0/20)" },
      { flags: "--bridge-subnet6 <subnet>", help: 'their IPv6 (default: fd78::/64); "" for none' },
      { flags: "--bridge-mtu <bytes>", help: "size of their packets; the host's if absent" },
      { flags: "--bridge-driver <own|cni>", help: "who makes the bridge: the agent (default), or CNI's plugins" },
      { flags: "--cni-config <folder>", help: "networks of modes cni/NAME (default: /etc/cni/net.d)" },
      { flags: "--cni-owned <names>", help: "CNI networks that nobody else of the host uses: strays there are freed" },
      { flags: "--cni-path <folders>", help: "their plugins (default: /opt/cni/bin:/usr/lib/cni:/usr/libexec/cni)" },
      {
        flags: "--overlay-ip <address>",
        help: "where other hosts send packets of overlay networks; as --ip if absent",
      },
      {
        flags: "--registry-auth <file>",
        help: "names and passwords for registries of images, as docker login writes it",
      },
      { flags: "--insecure-registries <list>", help: "registries asked without encryption: host:port, with commas" },
      { flags: "--docker-socket <path>", help: "the Engine of driver docker (default: /var/run/docker.sock)" },
      { flags: "--host-volumes <list>", help: "folders that jobs may name, as in data=/srv/data,certs=/etc/certs:ro" },
      {
        flags: "--artifact-folders <folders>",
        help: "below which artifacts may be files of the host, with colons in between (default: none)",
      },
      {
        flags: "--artifact-networks <list>",
        help: "that artifacts may come from although refused by default, as 127.0.0.0/8, with commas in between",
      },
      { flags: "--artifact-download-mib-max <MiB>", help: "largest download of an artifact (default: 10240)" },
      { flags: "--artifact-unpacked-mib-max <MiB>", help: "largest artifact, unpacked (default: 20480)" },
      { flags: "--artifact-files-max <count>", help: "most files of an artifact (default: 200000)" },
      { flags: "--artifact-timeout-ms <ms>", help: "all artifacts of a task are there by then (default: 1800000)" },
      { flags: "--artifact-parallel-max <count>", help: "tasks whose artifacts are fetched at once (default: 4)" },
      { flags: "--artifact-cache-mib <MiB>", help: "of downloads with a checksum are kept (default: 2048; 0: none)" },
      {
        flags: "--reservations <list>",
        help: 'resources set aside for roles, with commas in between, as "eng cpu=2 memory=2048"',
      },
      { flags: "--secrets-dir <folder>", help: "files that tasks may be given as secrets, below it by their roles" },
      { flags: "--secret-env <names>", help: "variables of the agent that tasks may be given, with commas in between" },
      { flags: "--shutdown-grace-ms <ms>", help: "tasks get at most so long to end when the agent stops" },
    ],
    [
      "daemon agent --data-dir /var/lib/muster/agent",
      "daemon agent --master 10.0.0.1:5050,10.0.0.2:5050,10.0.0.3:5050 --ip 10.0.0.7 --listen 10.0.0.7:5051",
      "daemon agent --config /etc/muster/agent.conf",
    ],
    () => import("../daemons/agent.ts"),
  ),
  daemon(
    "services",
    "run the framework of service and system jobs",
    [master],
    ["daemon services", "daemon services --master 10.0.0.1:5050", "daemon services --log-level debug"],
    () => import("../daemons/services.ts"),
  ),
  daemon(
    "cron",
    "run the framework of batch and periodic jobs",
    [master],
    ["daemon cron", "daemon cron --master 10.0.0.1:5050", "daemon cron --log-level debug"],
    () => import("../daemons/cron.ts"),
  ),
  daemon(
    "dns",
    "run a DNS server that follows the cluster",
    [
      master,
      { flags: "--listen <host:port>", help: "for UDP and TCP (default: 127.0.0.1:8053)" },
      { flags: "--http <host:port>", help: "its HTTP API (default: 127.0.0.1:8123)" },
      { flags: "--domain <domain>", help: "the zone that it answers for (default: muster)" },
      { flags: "--tells-version <true|false>", help: "answers version.bind and hostname.bind (default: false)" },
    ],
    ["daemon dns", "daemon dns --listen 10.0.0.1:53 --master 10.0.0.1:5050", "daemon dns --domain cluster.example"],
    () => import("../daemons/dns.ts"),
  ),
  daemon(
    "edge",
    "run the dashboard and its gRPC-Web edge",
    [
      master,
      { flags: "--listen <host:port>", help: "where browsers find it (default: 127.0.0.1:5080)" },
      { flags: "--dns-http <host:port>", help: "HTTP API of DNS (default: 127.0.0.1:8123)" },
    ],
    ["daemon edge", "daemon edge --listen 127.0.0.1:8080", "daemon edge --master 10.0.0.1:5050"],
    () => import("../daemons/edge.ts"),
  ),
];
