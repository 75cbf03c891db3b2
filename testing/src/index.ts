export {
  type Checker,
  type MasterView,
  noOverCommit,
  noPortTwice,
  resourcesConserved,
  type Violation,
  violation,
} from "@muster/master";
export { ClaimWatch } from "./checkers/claims.ts";
export { type CronRun, noInstantTwice } from "./checkers/cron.ts";
export { type Desired, desiredCount } from "./checkers/desired.ts";
export { endpointsIn, srvQuestion } from "./checkers/dns-packets.ts";
export { FairnessWatch } from "./checkers/fairness.ts";
export { FeedWatch } from "./checkers/feed.ts";
export { HungerWatch } from "./checkers/hunger.ts";
export { LaunchWatch, type Start } from "./checkers/launches.ts";
export { type NamesBounds, type NamesMoment, NamesWatch } from "./checkers/names.ts";
export { StatusWatch } from "./checkers/statuses.ts";
export { AgentHost } from "./cluster/agent-host.ts";
export { DnsHost } from "./cluster/dns-host.ts";
export { Inspector, type SchedulingMessage } from "./cluster/inspector.ts";
export { MasterHost } from "./cluster/master-host.ts";
export { Program } from "./cluster/program.ts";
export { masterAddress, SimCluster, type SimClusterOptions } from "./cluster/sim-cluster.ts";
export { type TestCluster, type TestClusterOptions, testCluster } from "./cluster/test-cluster.ts";
export type { DatedViolation } from "./cluster/violations.ts";
export { afflictionsOf } from "./faults/afflictions.ts";
export { Hits } from "./faults/hits.ts";
export { type Affliction, Nemesis, type NemesisOptions, nemesisDefaults } from "./faults/nemesis.ts";
export { operatorAfflictions } from "./faults/operators.ts";
export { rareAfflictions } from "./faults/rare-afflictions.ts";
export { type Ruled, rulingAfflictions } from "./faults/rulings.ts";
export type { Behaviour, HostProcess } from "./world/host-processes.ts";
export type { Life } from "./world/life.ts";
export { World, WorldError, worldBeginsAt } from "./world/world.ts";
