import type { TaskInfo, TaskSpec } from "@muster/proto";

export const emptyTaskInfo: TaskInfo = {
  taskId: "",
  name: "",
  resources: null,
  discovery: null,
  labels: {},
  spec: Buffer.alloc(0),
};

export function emptySpec(): TaskSpec {
  return {
    driver: "process",
    command: "",
    arguments: [],
    environment: {},
    user: "",
    killPolicy: null,
    logPolicy: null,
    healthChecks: [],
    runTimeMsMax: 0,
    driverConfigJson: "",
    jobName: "",
    groupName: "",
    instanceIndex: 0,
    meta: {},
    memoryMiBMax: 0,
    restartPolicy: null,
    hook: 0,
    sidecar: false,
    leader: false,
    shutdownDelayMs: 0,
    networkMode: "",
    volumeMounts: [],
    onlyNamedVolumes: false,
    dispatchPayload: null,
    artifacts: [],
    templates: [],
    secrets: [],
    hostMounts: [],
  };
}
