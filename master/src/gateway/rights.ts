import { type MethodName, MusterError, type Peer } from "@muster/foundation";

/** What the master serves: everything but what agents serve to their executors and to each other. */
export type ServedMethod = Exclude<MethodName, `Executors.${string}` | `LeftFiles.${string}`>;

export interface MethodRule {
  /** The right that a caller needs. */
  readonly right: string;
}

/** Every method and the right that it needs. A method of the contract that is missing here fails the build. */
export const methodRules: Readonly<Record<ServedMethod, MethodRule>> = {
  "Scheduling.Subscribe": { right: "framework:register" },
  "Agents.Connect": { right: "agent:connect" },
  "Catalog.Follow": { right: "agent:connect" },
  "Jobs.Validate": { right: "job:plan" },
  "Jobs.Plan": { right: "job:plan" },
  "Jobs.Run": { right: "job:submit" },
  "Jobs.Stop": { right: "job:stop" },
  "Jobs.List": { right: "job:list" },
  "Jobs.Get": { right: "job:read" },
  "Jobs.Watch": { right: "job:read" },
  "Jobs.History": { right: "job:read" },
  "Jobs.Runs": { right: "job:read" },
  "Jobs.Scale": { right: "job:scale" },
  "Jobs.Force": { right: "job:dispatch" },
  "Jobs.Revert": { right: "job:submit" },
  "Jobs.Promote": { right: "job:promote" },
  "Jobs.Deployments": { right: "job:read" },
  "Jobs.Steer": { right: "job:promote" },
  "Jobs.Dispatch": { right: "job:dispatch" },
  "Jobs.Rebalance": { right: "job:scale" },
  "Jobs.Serve": { right: "framework:register" },
  "Tasks.List": { right: "task:read" },
  "Tasks.Logs": { right: "task:logs" },
  "Tasks.Exec": { right: "task:exec" },
  "Tasks.Kill": { right: "task:signal" },
  "Tasks.Restart": { right: "task:signal" },
  "Tasks.ListFiles": { right: "task:files" },
  "Tasks.ReadFile": { right: "task:files" },
  "Tasks.Stats": { right: "task:read" },
  "Operator.ListAgents": { right: "agent:read" },
  "Operator.ListFrameworks": { right: "framework:read" },
  "Operator.ListOffers": { right: "role:read" },
  "Operator.ListRoles": { right: "role:read" },
  "Operator.ExplainRole": { right: "role:read" },
  "Operator.ForeseeRoom": { right: "role:read" },
  "Operator.ListOverlays": { right: "agent:read" },
  "Operator.GetMaster": { right: "agent:read" },
  "Operator.SetWeight": { right: "role:weight" },
  "Operator.SetQuota": { right: "role:quota" },
  "Operator.ListReservations": { right: "role:read" },
  "Operator.Reserve": { right: "role:reserve" },
  "Operator.Unreserve": { right: "role:reserve" },
  "Operator.CreateVolume": { right: "role:reserve" },
  "Operator.DestroyVolume": { right: "role:reserve" },
  "Operator.ResizeVolume": { right: "role:reserve" },
  "Operator.GetMaintenance": { right: "agent:read" },
  "Operator.SetMaintenance": { right: "maint:write" },
  "Operator.Drain": { right: "agent:drain" },
  "Operator.Deactivate": { right: "agent:drain" },
  "Operator.Reactivate": { right: "agent:drain" },
  "Operator.MarkGone": { right: "agent:admin" },
  "Operator.TeardownFramework": { right: "framework:teardown" },
  "Operator.Check": { right: "op:snapshot" },
  "Operator.Snapshot": { right: "op:snapshot" },
  "Watch.Events": { right: "cluster:watch" },
  "State.Get": { right: "state:read" },
  "State.List": { right: "state:read" },
  "State.Transact": { right: "state:write" },
};

/** Whoever is on this machine's loopback. */
const localPrincipal = "local";

/** Undefined if the peer may call the method. */
export function authorise(method: ServedMethod, peer: Peer): MusterError | undefined {
  if (peer.principal === localPrincipal) return undefined;
  const { right } = methodRules[method];
  return new MusterError("forbidden", `principal ${peer.principal} has no right ${right}`);
}
