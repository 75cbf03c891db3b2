import { dependsOnBlock } from "./dependencies.ts";
import { disconnectBlock } from "./disconnect.ts";
import { ephemeralDiskBlock } from "./disk.ts";
import { type BlockSchema, block, refusedBlock, warned, warnedBlock, works } from "./model.ts";
import { cniParts, consulParts, scalingParts, secretParts, vaultParts } from "./outside.ts";
import {
  metaAttribute,
  migrateBlock,
  rescheduleBlock,
  restartBlock,
  serviceBlock,
  taskBlock,
  updateBlock,
} from "./parts.ts";
import { affinityBlock, constraintBlock, spreadBlock } from "./placement.ts";
import { portBlock } from "./port.ts";
import { volumeBlock } from "./volume.ts";

const later = "not available in this release";

const dnsBlock: BlockSchema = block("Resolver of the group; the host's.", {
  attributes: {
    servers: works("strings", "Addresses of name servers."),
    searches: works("strings", "Domains in which short names are looked for."),
    options: works("strings", "Options of the resolver."),
  },
});

const limitsBlock: BlockSchema = block("Bounds of the network; not of modes host and none.", {
  attributes: {
    down_mbit: works("integer", "Megabits a second to the group.", { min: 1, max: 400_000 }),
    up_mbit: works("integer", "Megabits a second from it.", { min: 1, max: 400_000 }),
    connections: works("integer", "Connections at once, both ways; a further one is refused.", {
      min: 1,
      max: 1_000_000,
    }),
    connections_per_second: works("integer", "New ones, both ways; what is beyond waits.", { min: 1, max: 1_000_000 }),
  },
});

const networkBlock: BlockSchema = block("Network of the group; several blocks: eth0, eth1 and so on.", {
  repeats: true,
  attributes: {
    mode: works("string", "host, bridge, none, cni/NAME or overlay/NAME; host."),
    hostname: works("string", "Name of the host inside; made from the task's id. Of the first block, as dns."),
    mbits: warned("Old bandwidth.", "has no meaning since Nomad 0.12"),
    device: warned("Old device.", "has no meaning since Nomad 0.12"),
    cidr: warned("Old address range.", "has no meaning since Nomad 0.12"),
    ip: warned("Old address.", "has no meaning since Nomad 0.12"),
  },
  blocks: {
    port: portBlock,
    dns: dnsBlock,
    limits: limitsBlock,
    cni: refusedBlock("Arguments for CNI.", later, cniParts),
    reserved_ports: refusedBlock("Old static ports.", 'write port "label" { static = n }'),
  },
});

export const groupBlock: BlockSchema = block("Tasks placed together.", {
  labels: 1,
  repeats: true,
  attributes: {
    count: works("integer", "Instances; 1.", { min: 0, max: 50_000 }),
    meta: metaAttribute,
    env: works("string-map", "Environment of its tasks; their own win. Muster's own."),
    shutdown_delay: works("duration", "Out of discovery before the signal; 0.", { min: 0 }),
    max_run_duration: works("duration", "A run of a batch job fails and ends beyond it, without a grace.", { min: 1 }),
    max_client_disconnect: works("duration", "Old form of lost_after in disconnect.", { min: 0 }),
    stop_after_client_disconnect: works("duration", "Old form of stop_on_client_after in disconnect.", { min: 0 }),
    prevent_reschedule_on_lost: works("bool", "Old form of replace = false in disconnect."),
  },
  blocks: {
    task: taskBlock,
    network: networkBlock,
    service: serviceBlock,
    constraint: constraintBlock,
    restart: restartBlock,
    reschedule: rescheduleBlock,
    update: updateBlock,
    depends_on: dependsOnBlock,
    affinity: affinityBlock,
    spread: spreadBlock,
    migrate: migrateBlock,
    ephemeral_disk: ephemeralDiskBlock,
    scaling: warnedBlock("Limits for autoscalers.", "no autoscaler reads it; count holds", scalingParts),
    disconnect: disconnectBlock,
    volume: volumeBlock,
    consul: warnedBlock("Consul cluster.", "Muster has its own discovery", consulParts),
    vault: refusedBlock("Secrets from Vault.", "Muster uses no Vault", vaultParts),
    secret: refusedBlock("Secrets by reference.", "write it in each task that knows it", secretParts),
  },
});
