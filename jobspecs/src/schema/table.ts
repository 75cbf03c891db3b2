// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { dependsOnBlock } from "./dependencies.ts";
import { groupBlock } from "./group.ts";
import { type BlockSchema, block, refused, refusedBlock, warned, warnedBlock, works } from "./model.ts";
import { consulParts, multiregionParts, secretParts, uiParts, vaultParts } from "./outside.ts";
import { parameterizedBlock } from "./parameterized.ts";
import { metaAttribute, migrateBlock, rescheduleBlock, taskBlock, updateBlock } from "./parts.ts";
import { affinityBlock, constraintBlock, spreadBlock } from "./placement.ts";

const periodicBlock = block("When a batch job runs.", {
  attributes: {
    cron: works(
      "string",
      "Five cron fields, six with seconds first, or a name such as @daily. Exactly one of cron, crons, interval.",
    ),
    crons: works("strings", "Several cron texts; a run is due when any is."),
    interval: works("string", "ISO 8601 repeating interval, R[n]/[start]/duration. Muster's own."),
    time_zone: works("string", "IANA name; UTC."),
    prohibit_overlap: works("bool", "Skip a run that is due while another goes on; false."),
    overlap: works("string", "skip, allow, cancel or buffer_one, instead of prohibit_overlap. Muster's own.", {
      oneOf: ["skip", "allow", "cancel", "buffer_one"],
    }),
    jitter: works("duration", "Runs start up to so much later, each job by an amount of its own; 0s. Muster's own.", {
      min: 0,
    }),
    pause_after_failures: works("integer", "Failed runs in a row that pause the schedule; 0 = none. Muster's own.", {
      min: 0,
    }),
    enabled: works("bool", "false: never due; true."),
  },
});

const later = "not available in this release";

/** The job block: everything Nomad's jobs may hold, each with what Muster makes of it. */
export const jobBlock: BlockSchema = block("The job; its label is its id.", {
  labels: 1,
  attributes: {
    id: works("string", "Replaces the label as id."),
    name: works("string", "Shown name; the id."),
    type: works(
      "string",
      "service (default), batch, system (one instance on every agent), or sysbatch (a run to its end on every agent).",
      {
        oneOf: ["service", "batch", "system", "sysbatch"],
      },
    ),
    role: works("string", "Muster role whose share pays; namespace, else default. Muster's own."),
    namespace: works("string", "Becomes the role where none is given."),
    region: works("string", "One cluster is one region; global."),
    datacenters: works("strings", 'Globs over ${node.datacenter}; ["*"].'),
    node_pool: works("string", "Name of the pool of agents; default."),
    placement: works(
      "string",
      "Which of several agents: pack (full ones), spread (empty ones); else instances keep apart and fill agents. Muster's own.",
      { oneOf: ["pack", "spread"] },
    ),
    priority: works(
      "text",
      "1 to 100, or a class: best-effort (10), batch (30), normal (50), production (70), system (90); 50. Classes are Muster's own.",
    ),
    meta: metaAttribute,
    env: works("string-map", "Environment of all tasks; groups' and tasks' own win. Muster's own."),
    all_at_once: refused("Place all instances or none.", later),
    consul_token: warned("Token for Consul.", "Muster uses no Consul"),
    consul_namespace: warned("Namespace in Consul.", "Muster uses no Consul"),
    vault_token: warned("Token for Vault.", "Muster uses no Vault"),
    vault_namespace: warned("Namespace in Vault.", "Muster uses no Vault"),
    version: warned("Set by the server.", "the server counts versions"),
  },
  blocks: {
    constraint: constraintBlock,
    update: updateBlock,
    reschedule: rescheduleBlock,
    periodic: periodicBlock,
    group: groupBlock,
    task: taskBlock,
    depends_on: dependsOnBlock,
    affinity: affinityBlock,
    spread: spreadBlock,
    migrate: migrateBlock,
    parameterized: parameterizedBlock,
    multiregion: refusedBlock("One job in several regions.", "Muster has one region per cluster", multiregionParts),
    ui: warnedBlock("Description and links.", "not shown in this release", uiParts),
    vault: refusedBlock("Secrets from Vault.", "Muster uses no Vault", vaultParts),
    secret: refusedBlock("Secrets by reference.", "write it in each task that knows it", secretParts),
    consul: warnedBlock("Consul cluster.", "Muster has its own discovery", consulParts),
  },
});

/** Top level of a job file. */
export const fileBlock: BlockSchema = block("A job file.", {
  blocks: { job: jobBlock },
});
