import type { Metrics } from "@muster/foundation";
import type { CountName } from "./core/effects.ts";

/** What the master counts, by the names that follow "muster_master_". */
export interface MasterMetrics {
  count(name: CountName, label: string, amount: number): void;
  agents(registered: number): void;
  offersOutstanding(count: number): void;
  tickSeconds(seconds: number): void;
}

const helps: Readonly<Record<CountName, string>> = {
  offers: "Offers made",
  offers_ended: "Offers that ended, by how",
  tasks_launched: "Tasks sent to agents",
  tasks_refused: "Tasks that could not be launched, by why",
  statuses: "Statuses of tasks taken in, by what they were",
  acknowledgements: "Acknowledgements of frameworks, by what became of them",
  claims: "Claims answered: granted, or the kind of refusal",
  calls_refused: "Calls of frameworks that could not be done, by call",
  inverse_offers: "Inverse offers made, and answered, by how",
  preemptions: "Rooms made by ending others, and groups ended for it",
  operations: "Changes of reservations and volumes that agents were asked for, by kind",
  invariants: "Assertions that failed",
};

export function masterMetrics(metrics: Metrics): MasterMetrics {
  const counters = new Map<string, ReturnType<Metrics["counter"]>>();
  for (const name of Object.keys(helps) as CountName[])
    counters.set(name, metrics.counter(`${name}_total`, helps[name], ["kind"]));
  const children = new Map<string, { inc(amount: number): void }>();
  const agents = metrics.gauge("agents_registered", "Agents that are registered");
  const offers = metrics.gauge("offers_outstanding", "Offers that are not answered yet");
  const tick = metrics.histogram(
    "tick_seconds",
    "Time that one tick of the loop takes",
    [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.25],
  );
  return {
    count: (name, label, amount) => {
      const key = `${name} ${label}`;
      let child = children.get(key);
      if (child === undefined) {
        child = counters.get(name)?.labels(label) as { inc(amount: number): void };
        children.set(key, child);
      }
      child.inc(amount);
    },
    agents: (count) => agents.set(count),
    offersOutstanding: (count) => offers.set(count),
    tickSeconds: (seconds) => tick.observe(seconds),
  };
}
