// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.

import { artifactBlock } from "./artifact.ts";
import { dockerAttributes, dockerBlocks } from "./docker-config.ts";
import {
  type AttributeSchema,
  type BlockSchema,
  block,
  refused,
  refusedBlock,
  warned,
  warnedBlock,
  works,
} from "./model.ts";
import {
  actionParts,
  consulParts,
  csiPluginParts,
  deviceParts,
  identityParts,
  numaParts,
  scheduleParts,
  taskScalingParts,
  vaultParts,
  weightsParts,
} from "./outside.ts";
import { dispatchPayloadBlock } from "./parameterized.ts";
import { affinityBlock, constraintBlock } from "./placement.ts";
import { oldNetworkBlock } from "./port.ts";
import { secretBlock, templateBlock } from "./task-files.ts";
import { volumeMountBlock } from "./volume.ts";

const later = "not available in this release";
const consul = "Muster has its own discovery and no Consul";

export const metaAttribute: AttributeSchema = works("string-map", "Names and texts for tasks and tools.");

export const updateBlock: BlockSchema = block("How a new version replaces the old.", {
  attributes: {
    max_parallel: works("integer", "Instances replaced at a time; 1; 0 = all at once.", { min: 0 }),
    min_healthy_percent: works("integer", "Instead of max_parallel: never fewer of the count healthy; 100.", {
      min: 0,
    }),
    surge_percent: works("integer", "Instead of max_parallel: at most so many too many; 25.", { min: 0 }),
    health_check: works("string", "checks (default), task_states or manual.", {
      oneOf: ["checks", "task_states", "manual"],
    }),
    min_healthy_time: works("duration", "Healthy this long before the next step; 10s.", { min: 0 }),
    healthy_deadline: works("duration", "Not healthy by then: failed; 5m.", { min: 0 }),
    progress_deadline: works("duration", "Without progress this long: the update failed; 10m; 0 = first failure.", {
      min: 0,
    }),
    auto_revert: works("bool", "Back to the last stable version after a failure; false."),
    auto_promote: works("bool", "Promote healthy canaries; false."),
    canary: works("integer", "Canaries before the rest, of a system job per cent of the agents; 0.", { min: 0 }),
    stagger: works("duration", "Between steps of system jobs; 30s.", { min: 0 }),
  },
});

export const restartBlock: BlockSchema = block("Starts after a failure, on the same terms each time.", {
  attributes: {
    attempts: works("integer", "Restarts within the interval; 2 (service, system), 3 (batch).", { min: 0 }),
    interval: works("duration", "30m (service, system), 24h (batch).", { min: 0 }),
    delay: works("duration", "Before each restart; 15s.", { min: 0 }),
    mode: works("string", "fail (default): give up; delay: wait for the next interval.", { oneOf: ["fail", "delay"] }),
    render_templates: warned("Render templates anew.", "templates are kept in step all the time"),
  },
});

export const migrateBlock: BlockSchema = block(
  "How instances leave an agent that is drained, and how many may be preempted at once; as update says.",
  {
    attributes: {
      max_parallel: works(
        "integer",
        "Instances that move, or are missing for having been preempted, at a time; 1; 0 = none. All that counts for batch and sysbatch: all runs together.",
        {
          min: 0,
        },
      ),
      health_check: works("string", "checks (default) or task_states.", { oneOf: ["checks", "task_states"] }),
      min_healthy_time: works("duration", "Healthy this long before its predecessor ends; 10s.", { min: 0 }),
      healthy_deadline: works("duration", "A successor that is not healthy by then has failed; 5m.", { min: 0 }),
    },
  },
);

export const rescheduleBlock: BlockSchema = block("A new instance elsewhere once restarts are used up.", {
  attributes: {
    attempts: works("integer", "Within the interval; only if not unlimited.", { min: 0 }),
    interval: works("duration", "Window of attempts.", { min: 0 }),
    delay: works("duration", "30s (service), 5s (batch).", { min: 0 }),
    delay_function: works("string", "constant, exponential or fibonacci.", {
      oneOf: ["constant", "exponential", "fibonacci"],
    }),
    max_delay: works("duration", "1h.", { min: 0 }),
    unlimited: works("bool", "true (service), false (batch)."),
  },
});

export const checkRestartBlock: BlockSchema = block("Restart after failing checks.", {
  attributes: {
    limit: works("integer", "Failures in a row; 0 = never.", { min: 0 }),
    grace: works("duration", "Not counted after a start; 1s.", { min: 0 }),
    ignore_warnings: warned("Warnings are no failures.", "checks here pass or fail, without warnings"),
  },
});

const checkBlock: BlockSchema = block("Health of a service.", {
  repeats: true,
  attributes: {
    type: works("string", "http, tcp, grpc or script.", { required: true, oneOf: ["http", "tcp", "script", "grpc"] }),
    name: works("string", "Shown name."),
    path: works("string", "Of http; required there."),
    method: works("string", "Of http; GET."),
    body: works("string", "Of http."),
    port: works("text", "Label or number; the service's. Not of script."),
    protocol: works("string", "http (default) or https.", { oneOf: ["http", "https"] }),
    interval: works("duration", "Between checks; at least 1s.", { required: true, min: 1000 }),
    timeout: works("duration", "At least 1s.", { required: true, min: 1000 }),
    success_before_passing: works("integer", "0.", { min: 0 }),
    failures_before_critical: works("integer", "0.", { min: 0 }),
    tls_server_name: works("string", "Of https and encrypted grpc; the address."),
    tls_skip_verify: works("bool", "Of https and encrypted grpc: any certificate will do; false."),
    header: works("any", "Of http: names with lists of texts."),
    failures_before_warning: warned("Failures before a warning.", "checks here pass or fail, without warnings"),
    initial_status: warned("Status before the first check.", "an instance counts as healthy after its first success"),
    address_mode: warned("Address used.", "checks go to the task's address"),
    expose: refused("Through the mesh proxy.", consul),
    command: works("string", "Of script; required there."),
    args: works("strings", "Of script."),
    grpc_service: works("string", "Of grpc; the whole server."),
    grpc_use_tls: works("bool", "Of grpc: encrypted; false."),
    task: works("string", "Of a group's service: the task whose health it is; the leader, else the first."),
    notes: warned("Free text.", "not shown in this release"),
    on_update: warned("Weight of the check in updates.", "every check must pass"),
    id: warned("Identifier.", "checks are found by service and name"),
  },
  blocks: { check_restart: checkRestartBlock },
});

export const serviceBlock: BlockSchema = block("A name in discovery.", {
  repeats: true,
  attributes: {
    name: works("string", "DNS name; the job's if it has one group, else job-group."),
    port: works("text", "Label of a port of the group, or a number."),
    tags: works("strings", "Free texts."),
    meta: metaAttribute,
    provider: works("string", "nomad or muster; consul gives a warning.", { oneOf: ["nomad", "consul", "muster"] }),
    address_mode: warned("Address shown.", "discovery shows the task's address"),
    address: refused("Fixed address.", later),
    canary_tags: warned("Tags of canaries.", "canaries carry the usual tags in this release"),
    canary_meta: warned("Meta of canaries.", "canaries carry the usual meta in this release"),
    enable_tag_override: warned("Tags changed from outside.", consul),
    task: warned("Task behind a group's service.", "the port's label decides"),
    on_update: warned("Weight of checks in updates.", "every check must pass"),
    cluster: refused("Consul cluster.", consul),
    kind: refused("Kind of mesh service.", consul),
    tagged_addresses: warned("More addresses.", consul),
    id: warned("Identifier.", "services are found by name"),
  },
  blocks: {
    check: checkBlock,
    check_restart: checkRestartBlock,
    connect: refusedBlock("Service mesh.", consul),
    weights: warnedBlock("Weights of answers.", "all instances weigh the same in this release", weightsParts),
    identity: refusedBlock("Workload identity.", later, identityParts),
  },
});

const authBlock: BlockSchema = block("Who asks an image's registry.", {
  attributes: {
    username: works("string", "Name.", { required: true }),
    password: works("string", "Password or token.", { required: true }),
    email: warned("Address.", "registries ask for none"),
    server_address: warned("Registry.", "the image's name says which it is"),
  },
});

const configBlock: BlockSchema = block("What the driver runs.", {
  onlyIf: { attribute: "driver", oneOf: ["process", "raw_exec", "exec", "oci", "docker"] },
  attributes: {
    command: works("string", "Program; of oci the image's if absent."),
    image: works("string", "Of oci: alpine:3.19, registry.example:5000/a/b@sha256:..., oci:/folder:tag."),
    entrypoint: works("strings", "Of oci: in place of the image's entrypoint and command."),
    force_pull: works("bool", "Of oci: ask the registry at each start; false."),
    image_pull_timeout: works("duration", "Of oci: a pull takes no longer; 5m.", { min: 1, max: 86_400_000 }),
    ports: warned("Of docker: labels that are published.", "all ports of the group are"),
    network_mode: refused("Of docker: network.", "write it in network of the group"),
    privileged: refused("Of docker: all rights on the host.", "containers have few rights"),
    volumes: refused("Of docker: folders of the host.", later),
    args: works("strings", "Arguments."),
    cgroup_v1_override: refused("Own cgroups.", later),
    cgroup_v2_override: refused("Own cgroup.", later),
    oom_score_adj: refused("Kernel's choice when memory ends.", later),
    work_dir: works("string", "Of exec and oci: where it begins, inside; /, or where the image says."),
    rootfs: works("string", "Of exec: folder of the host that is its root; the host's programs."),
    cap_add: works("strings", "Of exec and oci: capabilities beside the default, e.g. net_raw."),
    cap_drop: works("strings", "Of exec and oci: capabilities to do without, or all."),
    pids_limit: works("integer", "Of exec and oci: processes and threads at once; 4096.", { min: 1, max: 4_194_304 }),
    pid_mode: refused("Whose processes it sees.", "a container has processes of its own"),
    ipc_mode: refused("Whose shared memory it sees.", "a container has shared memory of its own"),
    denied_envs: refused("Environment variables left out.", later),
    ...dockerAttributes,
  },
  blocks: { auth: authBlock, ...dockerBlocks },
});

const resourcesBlock: BlockSchema = block("What a task is given.", {
  attributes: {
    cpu: works("integer", "MHz in Nomad = thousandths of a core here; 100.", { min: 1 }),
    cores: works("integer", "Whole cores, instead of cpu.", { min: 1 }),
    memory: works("integer", "MiB; 300.", { min: 1 }),
    revocable: works(
      "bool",
      "The processor comes out of what agents lend of what their tasks do not use; the task ends when it is wanted back.",
    ),
    io_max: works(
      "integer",
      "MiB a second that it reads from the agent's disk, and that it writes, at most; of containers.",
      {
        min: 1,
        max: 1_000_000,
      },
    ),
    disk: works("integer", "MiB of files that it may have; 0: no limit, and nothing is booked.", { min: 0 }),
    cpu_max: works("integer", "MHz that it never exceeds, even on an idle host; of exec and oci.", { min: 10 }),
    memory_max: works(
      "integer",
      "MiB it may use beyond memory while the host has them; -1 = no bound; of exec and oci.",
      { min: -1 },
    ),
    iops: warned("Old disk limit.", "has no meaning since Nomad 0.9"),
    secrets: warned("Size of the secrets folder.", "has no effect"),
  },
  blocks: {
    network: oldNetworkBlock,
    device: refusedBlock("GPUs and such.", later, deviceParts),
    numa: warnedBlock("Memory close to cores.", "has no effect in this release", numaParts),
  },
});

const logsBlock: BlockSchema = block("Files of stdout and stderr.", {
  attributes: {
    max_files: works("integer", "Of each stream; 10.", { min: 1 }),
    max_file_size: works("integer", "MiB; 10.", { min: 1 }),
    disabled: works("bool", "Keep none; false."),
    enabled: works("bool", "Old opposite of disabled."),
  },
});

const lifecycleBlock: BlockSchema = block("Not a main task of its group, but one before, beside or after these.", {
  attributes: {
    hook: works("string", "prestart, poststart or poststop.", {
      required: true,
      oneOf: ["prestart", "poststart", "poststop"],
    }),
    sidecar: works("bool", "Goes on beside the main tasks, and is ended after them; false."),
  },
});

const taskNetworkBlock: BlockSchema = block("A network of the task's own, in place of its group's.", {
  attributes: {
    mode: works("string", "none: loopback alone; container:TASK: what that task of the group has.", { required: true }),
  },
});

export const taskBlock: BlockSchema = block("A program.", {
  labels: 1,
  repeats: true,
  attributes: {
    driver: works(
      "string",
      "process, or raw_exec, which is the same; exec: in a container; oci: from an image; docker: from an image by an Engine where one runs, else as oci.",
      { required: true },
    ),
    user: works("string", "Account; the agent's own, of exec nobody, of oci and docker the image's."),
    env: works("string-map", "Environment."),
    meta: metaAttribute,
    kill_timeout: works("duration", "From the signal to SIGKILL; 5s.", { min: 0 }),
    kill_signal: works("string", "SIGTERM."),
    shutdown_delay: works("duration", "Out of discovery before the signal; 0.", { min: 0 }),
    leader: works("bool", "When it ends, the group's other tasks stop; false."),
    kind: refused("Mesh proxy.", consul),
  },
  blocks: {
    config: configBlock,
    resources: resourcesBlock,
    service: serviceBlock,
    constraint: constraintBlock,
    restart: restartBlock,
    logs: logsBlock,
    template: templateBlock,
    artifact: artifactBlock,
    volume_mount: volumeMountBlock,
    lifecycle: lifecycleBlock,
    network: taskNetworkBlock,
    dispatch_payload: dispatchPayloadBlock,
    affinity: affinityBlock,
    scaling: warnedBlock("Limits for autoscalers.", "no autoscaler reads it", taskScalingParts),
    action: warnedBlock("Commands to run in the task.", "use muster job exec", actionParts),
    schedule: refusedBlock("Pauses by time.", later, scheduleParts),
    identity: warnedBlock("Workload identity.", "no tokens are given to tasks in this release", identityParts),
    secret: secretBlock,
    vault: refusedBlock("Secrets from Vault.", "Muster uses no Vault", vaultParts),
    consul: warnedBlock("Consul cluster.", "Muster has its own discovery", consulParts),
    csi_plugin: refusedBlock("Storage plugin.", later, csiPluginParts),
  },
});
