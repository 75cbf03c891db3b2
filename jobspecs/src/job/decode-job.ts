import { readArtifacts } from "./decode-artifacts.ts";
import { readNetwork } from "./decode-network.ts";
import { decodeConstraints, decodeMigrate, decodeReschedule, decodeRestart, decodeUpdate } from "./decode-policies.ts";
import { decodeServices } from "./decode-services.ts";
import { decodeDependencies, jobsNeeded } from "./dependencies.ts";
import { decodeDisconnect } from "./disconnects.ts";
import { decodeDispatchPayload, decodeParameterized, dispatchProblem } from "./parameterized.ts";
import { decodePreferences, placementPolicies } from "./preferences.ts";
import { JobInvalid, type Reader, refuseTwice, typed } from "./reader.ts";
import { cronProblem, intervalProblem, isTimeZone } from "./schedules.ts";
import { checkSensitivePlaces, sensitivePlacesMax } from "./sensitive.ts";
import { decodeTaskFiles } from "./task-files.ts";
import { problemOfTaskNetwork } from "./task-networks.ts";
import {
  type ContainerConfig,
  drivers,
  type GroupDisk,
  hasImage,
  type ImageConfig,
  isTaskNetworkMode,
  type Job,
  jobSchema,
  type Lifecycle,
  lifecycleHooks,
  type Network,
  overlaps,
  type Schedule,
  type Task,
  type TaskConfig,
  type TaskGroup,
  type TaskNetwork,
} from "./types.ts";
import { decodeMounts, decodeVolumes, ownVolumes, problemOfVolumes } from "./volumes.ts";

/** Characters of a job's JSON. */
export const jobJsonLengthMax = 1024 * 1024;

/** Validates a job from outside. Throws JobInvalid naming the field, e.g. `groups[0].tasks[1].driver`. */
export function decodeJob(json: string): Job {
  if (json.length > jobJsonLengthMax) throw new JobInvalid("job", `must have at most ${jobJsonLengthMax} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new JobInvalid("job", "is no JSON");
  }
  return readJob(value, "");
}

const readJob = typed((reader): Job => {
  if (reader.raw("schema") !== jobSchema) reader.fail("schema", `must be ${jobSchema}`);
  const type = reader.oneOf("type", ["service", "batch", "system", "sysbatch"]);
  if (reader.has("schedule") && type !== "batch" && type !== "sysbatch") {
    reader.fail("schedule", `a ${type} job has none`);
  }
  const groups = reader.list("groups", 10_000, readGroup);
  if (groups.length === 0) reader.fail("groups", "must not be empty");
  refuseTwice(
    groups.map((group) => group.name),
    reader.at("groups"),
  );
  for (const [index, group] of groups.entries()) {
    if (type.startsWith("sys") && group.count > 1) {
      throw new JobInvalid(`groups[${index}].count`, `must be 0 or 1 in a ${type} job`);
    }
    if (type !== "service" && ownVolumes(group).length > 0)
      throw new JobInvalid(`groups[${index}].volumes`, `must not be of type muster in a ${type} job`);
    if (group.update.canaryCount > 0 && ownVolumes(group).length > 0)
      throw new JobInvalid(`groups[${index}].update.canaryCount`, "must be 0 where volumes are of type muster");
  }
  const made: Job = {
    schema: jobSchema,
    id: reader.name("id", 128),
    name: reader.text("name"),
    type,
    role: reader.text("role"),
    priority: reader.integer("priority", 1, 100),
    region: reader.text("region"),
    datacenters: reader.texts("datacenters"),
    nodePool: reader.text("nodePool"),
    meta: reader.textMap("meta"),
    constraints: decodeConstraints(reader),
    ...decodePreferences(reader),
    ...decodeDependencies(reader),
    ...(reader.has("placement") ? { placement: reader.oneOf("placement", placementPolicies) } : {}),
    ...(reader.has("schedule") ? { schedule: readSchedule(reader.raw("schedule"), reader.at("schedule")) } : {}),
    ...(reader.has("parameterized")
      ? { parameterized: decodeParameterized(reader.raw("parameterized"), reader.at("parameterized")) }
      : {}),
    groups,
    ...(reader.has("sensitive") ? { sensitive: readPlaces(reader) } : {}),
  };
  refuseUnfit(reader, made);
  checkSensitivePlaces(made);
  const needed = jobsNeeded(made);
  if (needed.includes(made.id)) reader.fail("dependsOn", "must not name the job itself");
  if (needed.length > 0 && (type === "batch" || type === "sysbatch"))
    reader.fail("dependsOn", `a ${type} job has none`);
  return made;
});

/** What is dispatched comes to an end, and has nothing else that starts it. */
function refuseUnfit(reader: Reader, job: Job): void {
  if (job.parameterized && job.type !== "batch" && job.type !== "sysbatch")
    reader.fail("parameterized", `a ${job.type} job has none`);
  if (job.parameterized && job.schedule) reader.fail("parameterized", "a job with a schedule has none");
  const problem = dispatchProblem(job);
  if (problem) reader.fail("parameterized", problem.reason);
}

function readPlaces(reader: Reader): string[] {
  const places = reader.texts("sensitive");
  return places.length > sensitivePlacesMax
    ? reader.fail("sensitive", `must be at most ${sensitivePlacesMax}`)
    : places;
}

const readSchedule = typed((reader): Schedule => {
  const kind = reader.oneOf("kind", ["cron", "interval"]);
  const timeZone = reader.text("timeZone");
  if (!isTimeZone(timeZone)) reader.fail("timeZone", "must be an IANA time zone");
  const common = {
    timeZone,
    overlap: reader.oneOf("overlap", overlaps),
    ...(reader.has("jitterMs") ? { jitterMs: reader.duration("jitterMs") } : {}),
    ...(reader.has("pauseAfterFailures")
      ? { pauseAfterFailures: reader.integer("pauseAfterFailures", 1, 1_000_000) }
      : {}),
    enabled: reader.bool("enabled"),
  };
  if (kind === "interval") {
    const text = reader.text("text");
    const problem = intervalProblem(text);
    if (problem) reader.fail("text", problem.message);
    return { kind, text, ...common };
  }
  const expressions = reader.texts("expressions");
  if (expressions.length === 0) reader.fail("expressions", "must not be empty");
  for (const [index, text] of expressions.entries()) {
    const problem = cronProblem(text);
    if (problem) reader.fail(`expressions[${index}]`, problem.message);
  }
  return { kind, expressions, ...common };
});

const readGroup = typed((reader): TaskGroup => {
  const network = readNetwork(reader.raw("network"), reader.at("network"));
  const tasks = reader.list("tasks", 1000, (value, path) => readTask(network)(value, path));
  if (tasks.length === 0) reader.fail("tasks", "must not be empty");
  refuseTwice(
    tasks.map((task) => task.name),
    reader.at("tasks"),
  );
  refuseWrongRoles(reader, tasks);
  const volumes = decodeVolumes(reader);
  refuseTwice(
    (volumes.volumes ?? []).map(({ name }) => name),
    reader.at("volumes"),
  );
  const wrong = problemOfVolumes(volumes.volumes ?? [], tasks);
  if (wrong) reader.fail("tasks", `${wrong.task}: volumeMounts[${wrong.mount}]: ${wrong.problem}`);
  for (const index of tasks.keys()) {
    const problem = problemOfTaskNetwork(tasks, index);
    if (problem !== "") reader.fail("tasks", problem);
  }
  return {
    name: reader.name("name"),
    count: reader.integer("count", 0, 50_000),
    constraints: decodeConstraints(reader),
    ...decodePreferences(reader),
    ...decodeDependencies(reader),
    network,
    services: decodeServices(
      reader,
      network,
      tasks.map((task) => task.name),
    ),
    restart: decodeRestart(reader.raw("restart"), reader.at("restart")),
    ...(reader.has("reschedule")
      ? { reschedule: decodeReschedule(reader.raw("reschedule"), reader.at("reschedule")) }
      : {}),
    update: decodeUpdate(reader.raw("update"), reader.at("update")),
    ...(reader.has("disconnect")
      ? { disconnect: decodeDisconnect(reader.raw("disconnect"), reader.at("disconnect")) }
      : {}),
    ...volumes,
    ...(reader.has("disk") ? { disk: readDisk(reader.raw("disk"), reader.at("disk")) } : {}),
    ...(reader.has("migrate") ? { migrate: decodeMigrate(reader.raw("migrate"), reader.at("migrate")) } : {}),
    shutdownDelayMs: reader.duration("shutdownDelayMs"),
    ...(reader.has("runMsMax") ? { runMsMax: reader.duration("runMsMax") } : {}),
    meta: reader.textMap("meta"),
    tasks,
  };
});

const readDisk = typed(
  (reader): GroupDisk => ({
    isSticky: reader.bool("isSticky"),
    ...(reader.has("isMigrating") ? { isMigrating: reader.bool("isMigrating") } : {}),
  }),
);

const readConfig = typed((reader): TaskConfig => {
  const command = reader.text("command");
  const image = reader.has("image") ? { image: readImage(reader.raw("image"), reader.at("image")) } : {};
  if (command === "" && !image.image) reader.fail("command", "must not be empty");
  const container = reader.has("container")
    ? { container: readContainer(reader.raw("container"), reader.at("container")) }
    : {};
  return { command, args: reader.texts("args"), ...container, ...image };
});

const readImage = typed((reader): ImageConfig => {
  const name = reader.text("name", 4_096);
  if (name === "") reader.fail("name", "must not be empty");
  return {
    name,
    ...(reader.has("entrypoint") ? { entrypoint: reader.texts("entrypoint") } : {}),
    ...(reader.has("forcePull") ? { forcePull: reader.bool("forcePull") } : {}),
    ...(reader.has("pullTimeoutMs") ? { pullTimeoutMs: reader.integer("pullTimeoutMs", 1, 24 * 60 * 60_000) } : {}),
    ...(reader.has("auth") ? { auth: readAuth(reader.raw("auth"), reader.at("auth")) } : {}),
  };
});

const readAuth = typed((reader) => ({ username: reader.text("username"), password: reader.text("password", 8_192) }));

const readContainer = typed((reader): ContainerConfig => {
  const path = (name: string): string => {
    const text = reader.text(name, 4_096);
    return text.startsWith("/") ? text : reader.fail(name, "must be an absolute path");
  };
  return {
    ...(reader.has("rootfs") ? { rootfs: path("rootfs") } : {}),
    ...(reader.has("workDir") ? { workDir: path("workDir") } : {}),
    ...(reader.has("capAdd") ? { capAdd: reader.texts("capAdd") } : {}),
    ...(reader.has("capDrop") ? { capDrop: reader.texts("capDrop") } : {}),
    ...(reader.has("pidsLimit") ? { pidsLimit: reader.integer("pidsLimit", 1, 4_194_304) } : {}),
  };
});

const readResources = typed((reader) => ({
  cpuMillis: reader.integer("cpuMillis", 1, 1_000_000_000),
  memoryMiB: reader.integer("memoryMiB", 1, 1_000_000_000),
  ...(reader.has("isRevocable") ? { isRevocable: reader.bool("isRevocable") } : {}),
  ...(reader.has("cpuMillisMax") ? { cpuMillisMax: reader.integer("cpuMillisMax", 10, 1_000_000_000) } : {}),
  ...(reader.has("memoryMiBMax") ? { memoryMiBMax: reader.integer("memoryMiBMax", 1, 1_000_000_000) } : {}),
  diskMiB: reader.integer("diskMiB", 0, 1_000_000_000),
  ...(reader.has("ioMiBPerSecondMax") ? { ioMiBPerSecondMax: reader.integer("ioMiBPerSecondMax", 1, 1_000_000) } : {}),
}));

const readLogs = typed((reader) => ({
  disabled: reader.bool("disabled"),
  fileCount: reader.integer("fileCount", 1, 1_000_000),
  fileSizeMiB: reader.integer("fileSizeMiB", 1, 1_000_000),
}));

const readTaskNetwork = typed((reader): TaskNetwork => {
  const mode = reader.text("mode");
  return isTaskNetworkMode(mode) ? { mode } : reader.fail("mode", "must be none or container:TASK");
});

const readLifecycle = typed((reader): Lifecycle => {
  const hook = reader.oneOf("hook", lifecycleHooks);
  const sidecar = reader.bool("sidecar");
  return hook === "poststop" && sidecar
    ? reader.fail("sidecar", "what runs after the end is beside nothing")
    : { hook, sidecar };
});

/** A group is there for its main tasks, and at most one of them leads. */
function refuseWrongRoles(reader: Reader, tasks: readonly Task[]): void {
  if (tasks.every(({ lifecycle }) => lifecycle)) reader.fail("tasks", "needs one without lifecycle");
  if (tasks.some(({ leader, lifecycle }) => leader && lifecycle)) reader.fail("tasks", "a leader has no lifecycle");
  if (tasks.filter(({ leader }) => leader).length > 1) reader.fail("tasks", "has more than one leader");
}

const readTask = (network: Network) =>
  typed((reader): Task => {
    const env = reader.textMap("env");
    for (const name of Object.keys(env)) {
      if (name === "" || name.includes("=") || name.includes("\0"))
        reader.fail("env", `"${name}" is no variable's name`);
    }
    const driver = reader.oneOf("driver", drivers);
    const config = readConfig(reader.raw("config"), reader.at("config"));
    if (hasImage(driver) !== (config.image !== undefined))
      reader.fail("config", hasImage(driver) ? "must name an image" : `driver ${driver} runs no image`);
    return {
      name: reader.name("name"),
      driver,
      config,
      ...(reader.has("user") ? { user: reader.text("user") } : {}),
      env,
      resources: readResources(reader.raw("resources"), reader.at("resources")),
      constraints: decodeConstraints(reader),
      ...decodePreferences(reader),
      services: decodeServices(reader, network, []),
      ...(reader.has("restart") ? { restart: decodeRestart(reader.raw("restart"), reader.at("restart")) } : {}),
      killTimeoutMs: reader.duration("killTimeoutMs"),
      killSignal: reader.name("killSignal"),
      shutdownDelayMs: reader.duration("shutdownDelayMs"),
      logs: readLogs(reader.raw("logs"), reader.at("logs")),
      meta: reader.textMap("meta"),
      leader: reader.bool("leader"),
      ...decodeMounts(reader),
      ...readArtifacts(reader),
      ...(reader.has("network") ? { network: readTaskNetwork(reader.raw("network"), reader.at("network")) } : {}),
      ...(reader.has("lifecycle") ? { lifecycle: readLifecycle(reader.raw("lifecycle"), reader.at("lifecycle")) } : {}),
      ...decodeDispatchPayload(reader),
      ...decodeTaskFiles(reader),
    };
  });
