import { codecOf, emptyMessage, silentLog as log, resources, serveGrpc } from "@muster/foundation";
import { TaskState } from "@muster/proto";

/** The master's end of one agent's session. */
export async function startMaster() {
  let outlet;
  let registered = false;
  let running = 0;
  let reports = 0;
  let sequence = 0;
  let wake = () => {};
  const say = (fields) =>
    outlet.send({
      ...emptyMessage("ConnectResponse"),
      header: { epoch: 1, connection: 1, sequence: ++sequence },
      ...fields,
    });
  const receive = (message) => {
    reports += message.tasks.filter(({ status }) => status?.state === TaskState.TASK_RUNNING).length;
    if (message.tasksComplete) {
      registered = true;
      say({ registered: { clusterId: "bench", pingIntervalMs: 15_000 } });
    }
    for (const { state, message: text, frameworkId, taskId, updateId } of message.statuses) {
      if (state === TaskState.TASK_RUNNING) running++;
      else if (state === TaskState.TASK_FAILED || state === TaskState.TASK_ERROR) throw new Error(`${taskId}: ${text}`);
      say({ acknowledgements: [{ frameworkId, taskId, updateId }] });
    }
    wake();
  };
  const connect = (opened) => {
    outlet = opened;
    registered = false;
    return { receive, drained: () => {}, closed: () => {} };
  };
  const server = await new Promise((resolve, reject) => {
    const made = serveGrpc(
      { "Agents.Connect": connect },
      {
        address: "127.0.0.1:0",
        log,
        listening: (result) => (result instanceof Error ? reject(result) : resolve({ made, address: result.address })),
      },
    );
  });
  return {
    address: server.address,
    isRegistered: () => registered,
    runningCount: () => running,
    /** Of tasks that agents have brought along. */
    reportCount: () => reports,
    changed: () =>
      new Promise((resolve) => {
        wake = resolve;
      }),
    launch: (taskId, { driver, networkMode = "", driverConfigJson = "" }) => {
      const spec = { ...emptyMessage("TaskSpec"), driver, driverConfigJson, command: "sleep", arguments: ["1000"] };
      const task = {
        ...emptyMessage("TaskInfo"),
        taskId,
        name: taskId,
        resources: resources({ cpuMillis: 10, memoryMiB: 32 }),
        spec: codecOf("TaskSpec").encode(spec),
      };
      const group = { launchId: taskId, networkMode, network: null, ports: [], tasks: [task] };
      say({ launches: [{ frameworkId: "bench", frameworkName: "bench", role: "bench", group }] });
    },
    stop: () => new Promise((resolve) => server.made.close(resolve)),
  };
}
