import { flagOption, integerOption, listOption, textOption } from "@muster/foundation";

const logLevel = textOption("info", "least important lines that are logged", ["debug", "info", "warn", "error"]);
const master = textOption("127.0.0.1:5050", "gRPC address of the master, or of several with commas in between");

/** What can be set of each component; the flags of `muster daemon` are made of these names. */
export const schemas = {
  master: {
    dataDir: textOption("muster-master", "folder of its store, if that is not etcd"),
    listen: textOption("127.0.0.1:5050", "host and port of its gRPC server"),
    advertise: textOption("", "host and port under which the others find it; as listen if empty"),
    store: textOption(
      "",
      "etcd that several masters share: etcd://HOST:PORT,.../NAME, etcds:// for TLS; a database of its own if empty",
    ),
    etcdCa: textOption("", "PEM file of the authorities by which etcd is known; the system's if empty"),
    etcdCert: textOption("", "PEM file of the certificate by which etcd knows the master"),
    etcdKey: textOption("", "PEM file of that certificate's key"),
    etcdUser: textOption("", "name by which etcd knows the master, where it asks for one"),
    etcdPasswordFile: textOption("", "file whose first line is the password of that name"),
    leaseSeconds: integerOption(5, "a leader that etcd has not heard for so long may be followed by another", {
      min: 2,
      max: 60,
    }),
    offerTimeoutMs: integerOption(60_000, "an offer that is not answered is taken back after so long", { min: 100 }),
    unreachableIntervalMs: integerOption(
      0,
      "at most one agent is given up in so many milliseconds, however many do not answer; 0: no limit",
      { min: 0 },
    ),
    overlays: listOption([], "networks over all agents: NAME RANGE [RANGE6] [SETTING=VALUE ...]"),
    logLevel,
  },
  agent: {
    dataDir: textOption("muster-agent", "folder of its tasks and records"),
    listen: textOption("127.0.0.1:5051", "host and port of its gRPC server"),
    master,
    name: textOption("", "what people call it; the host's name if empty"),
    ip: textOption("", "address under which tasks are reached; the host's first if empty"),
    taskPortFirst: integerOption(20_000, "first port that tasks get", { min: 1, max: 65_535 }),
    taskPortLast: integerOption(32_000, "last port that tasks get", { min: 1, max: 65_535 }),
    hostNetworks: textOption(
      "",
      "networks of the host with names: NAME=CIDR or NAME=INTERFACE, with commas in between",
    ),
    enforcePorts: textOption("off", "what becomes of tasks that listen on ports of the host which are not theirs", [
      "off",
      "warn",
      "kill",
    ]),
    lendCpu: integerOption(0, "percent of the processor that tasks were given and do not use which others may borrow", {
      min: 0,
      max: 100,
    }),
    bridgeSubnet: textOption("10.78.0.0/20", "IPv4 addresses of tasks in network mode bridge"),
    bridgeSubnet6: textOption("fd78::/64", "IPv6 addresses of tasks in network mode bridge; none if empty"),
    bridgeMtu: integerOption(0, "bytes of a packet in network mode bridge; the host's if 0", { min: 0, max: 65_535 }),
    bridgeDriver: textOption("own", "who makes network mode bridge: the agent itself, or CNI's usual plugins", [
      "own",
      "cni",
    ]),
    cniConfig: textOption("/etc/cni/net.d", "folder of the networks of modes cni/NAME"),
    cniOwned: textOption("", "CNI networks that nobody else of the host uses, with commas between: strays are freed"),
    cniPath: textOption(
      "/opt/cni/bin:/usr/lib/cni:/usr/libexec/cni",
      "folders of their plugins, with colons in between",
    ),
    overlayIp: textOption("", "address that other hosts send packets of overlay networks to; as ip if empty"),
    registryAuth: textOption("", "file of names and passwords for registries of images, as docker login writes it"),
    insecureRegistries: textOption(
      "",
      "registries that may be asked without encryption: host:port, with commas between",
    ),
    dockerSocket: textOption("/var/run/docker.sock", "Unix socket of the Engine that runs tasks of driver docker"),
    hostVolumes: textOption("", "folders of the host that jobs may name: NAME=FOLDER[:ro], with commas in between"),
    artifactFolders: textOption(
      "",
      "folders of the host below which artifacts of tasks may be files, with colons in between; none if empty",
    ),
    artifactNetworks: textOption(
      "",
      "networks that artifacts may come from although they are refused by default: CIDRs, with commas between",
    ),
    artifactDownloadMiBMax: integerOption(10_240, "largest download of an artifact", { min: 1 }),
    artifactUnpackedMiBMax: integerOption(20_480, "largest artifact, unpacked", { min: 1 }),
    artifactFilesMax: integerOption(200_000, "most files of an artifact", { min: 1 }),
    artifactTimeoutMs: integerOption(1_800_000, "all artifacts of a task are there by then", { min: 1_000 }),
    artifactParallelMax: integerOption(4, "tasks whose artifacts are fetched at once", { min: 1, max: 256 }),
    artifactCacheMiB: integerOption(2_048, "downloads with a checksum that are kept for the next task", { min: 0 }),
    reservations: listOption([], "resources set aside for roles from the beginning: ROLE AMOUNT=NUMBER ..."),
    secretsDir: textOption("", "folder of files that tasks may be given as secrets: ROLE/PATH; none if empty"),
    secretEnv: textOption("", "variables of the agent that tasks may be given as secrets, with commas in between"),
    shutdownGraceMs: integerOption(5_000, "tasks get at most so long to end when the agent stops", { min: 0 }),
    logLevel,
  },
  services: { master, logLevel },
  cron: { master, logLevel },
  dns: {
    listen: textOption("127.0.0.1:8053", "host and port for UDP and TCP"),
    http: textOption("127.0.0.1:8123", "host and port of its HTTP API"),
    domain: textOption("muster", "the zone that it answers for"),
    tellsVersion: flagOption(false, "answers version.bind and hostname.bind with the program's and the host's name"),
    master,
    logLevel,
  },
  edge: {
    listen: textOption("127.0.0.1:5080", "host and port of the dashboard"),
    dnsHttp: textOption("127.0.0.1:8123", "address of the HTTP API of DNS"),
    master,
    logLevel,
  },
} as const;
