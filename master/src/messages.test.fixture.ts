import { emptyMessage, resources } from "@muster/foundation";
import type { Accept, Offer, Registration, TaskGroup, TaskInfo } from "@muster/proto";

export function aRegistration(agentId: string, settings: Partial<Registration> = {}): Registration {
  return {
    ...emptyMessage("Registration"),
    agentId,
    name: `name-${agentId}`,
    address: `${agentId}:5051`,
    ip: "10.0.0.1",
    resources: resources({ cpuMillis: 4_000, memoryMiB: 4_096, diskMiB: 10_000, portCount: 100 }),
    dynamicPortFirst: 20_000,
    dynamicPortLast: 20_099,
    ...settings,
  };
}

export function aTask(taskId: string, settings: Partial<TaskInfo> = {}): TaskInfo {
  return {
    ...emptyMessage("TaskInfo"),
    taskId,
    name: taskId,
    resources: resources({ cpuMillis: 500, memoryMiB: 256 }),
    spec: Buffer.from("spec"),
    ...settings,
  };
}

export function aGroup(tasks: readonly TaskInfo[], settings: Partial<TaskGroup> = {}): TaskGroup {
  return { ...emptyMessage("TaskGroup"), launchId: `launch-${tasks[0]?.taskId}`, tasks: [...tasks], ...settings };
}

export function anAccept(offers: readonly Offer[], groups: readonly TaskGroup[], refuseMs?: number): Accept {
  return {
    offerIds: offers.map((offer) => offer.offerId),
    operations: [{ operationId: "", launch: { groups: [...groups] }, kind: "launch" }],
    filters: refuseMs === undefined ? null : { refuseMs },
  };
}
