import { randomText } from "@muster/foundation";
import { Health } from "@muster/proto";
import { resolveDriver } from "../../drivers/docker/index.ts";
import { filledHostname } from "../environment/hostname.ts";
import { newExecutorLife } from "./executor-model.ts";
import { forgetExecutor, indexExecutor } from "./executor-tasks.ts";
import { firstChecks } from "./first-checks.ts";
import type { AgentState, Group, LaunchRequest, Task } from "./model.ts";
import { pairKey } from "./model.ts";
import type { Context } from "./status.ts";
import { newTemplates } from "./templates/create.ts";

/** Characters of what an executor proves itself with. */
const tokenLength = 32;

/** Makes a group of what is asked for, under a key of its own. */
export function addGroup({ state, now }: Context, request: LaunchRequest): Group {
  let key: string;
  do {
    key = `${now.epochMs.toString(36)}-${(++state.keyCount).toString(36)}`;
  } while (state.groups.has(key));
  const group: Group = {
    key,
    launchId: request.launchId,
    predecessorLaunchId: request.predecessorLaunchId ?? "",
    predecessorPlace: request.predecessorPlace,
    heritage: request.predecessorLaunchId ? "wanted" : "none",
    filesToken: request.filesToken ?? "",
    frameworkId: request.frameworkId,
    frameworkName: request.frameworkName,
    role: request.role,
    networkMode: request.networkMode,
    network: request.network,
    ports: request.ports,
    assigned: [],
    addressIndex: 0,
    subnets: [],
    more: (request.moreNetworks ?? []).map(({ mode, ...limits }) => ({ mode, limits, addressIndex: 0, subnets: [] })),
    net: { name: "host" },
    phase: "ports",
    tasks: [],
    executor: request.executor && {
      ...request.executor,
      token: request.executor.isSelf ? randomText(state.secrets, tokenLength) : "",
      selfId: "",
    },
    reserved: request.reserved ?? [],
    volumes: request.volumes ?? [],
    refusedPorts: new Set(),
    damaged: false,
    released: false,
  };
  for (const { info, spec } of request.tasks)
    group.tasks.push({
      ...newTask(group, `${key}.${group.tasks.length}`, info, resolved(spec, state)),
      bootId: state.config.bootId,
    });
  const [first] = group.tasks;
  // Settled once and recorded so, as the driver is: what an agent knows of itself may change.
  const hostname = first ? filledHostname(request.network.hostname, first, state.config) : "";
  if (hostname !== request.network.hostname) group.network = { ...request.network, hostname };
  indexGroup(state, group);
  return group;
}

/** What a task is run by is settled once, and recorded so: an Engine that comes or goes changes nothing of its life. */
function resolved(spec: Task["spec"], { config }: AgentState): Task["spec"] {
  const driver = resolveDriver(spec, config.drivers);
  return driver === spec.driver ? spec : { ...spec, driver };
}

export function newTask(group: Group, id: string, info: Task["info"], spec: Task["spec"]): Task {
  return {
    id,
    group,
    info,
    spec,
    phase: "preparing",
    bootId: "",
    started: undefined,
    attempt: 0,
    restartWindow: undefined,
    nextTry: undefined,
    image: { name: "none" },
    artifacts: "none",
    templates: newTemplates(spec),
    memoryKills: 0,
    sequence: 0,
    queue: [],
    latest: undefined,
    durable: undefined,
    kill: undefined,
    health: Health.HEALTH_UNSPECIFIED,
    checks: firstChecks(spec),
    killAsked: undefined,
    endsAt: undefined,
    acknowledgedAt: undefined,
    executor: group.executor?.isSelf ? newExecutorLife() : undefined,
    served: undefined,
  };
}

export function indexGroup(state: AgentState, group: Group): void {
  state.groups.set(group.key, group);
  state.openGroups.add(group);
  state.launches.set(pairKey(group.frameworkId, group.launchId), group.key);
  indexExecutor(state, group);
  for (const task of group.tasks) {
    state.tasks.set(task.id, task);
    const name = pairKey(group.frameworkId, task.info.taskId);
    const named = state.named.get(name);
    if (named) named.push(task);
    else state.named.set(name, [task]);
  }
}

export function removeGroup(state: AgentState, group: Group): void {
  state.groups.delete(group.key);
  state.openGroups.delete(group);
  state.launches.delete(pairKey(group.frameworkId, group.launchId));
  forgetExecutor(state, group);
  for (const task of group.tasks) {
    state.tasks.delete(task.id);
    const name = pairKey(group.frameworkId, task.info.taskId);
    const rest = (state.named.get(name) ?? []).filter((other) => other !== task);
    if (rest.length > 0) state.named.set(name, rest);
    else state.named.delete(name);
  }
}
