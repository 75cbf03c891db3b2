// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { type BlockParts, openBlock, works } from "./model.ts";

/**
 * What stands inside of blocks that this release refuses, or gives no effect. They are read and checked all the same, so
 * that a slip is found now and not when the block begins to work.
 */

const constraintLike = {
  attribute: works("string", "Left side."),
  operator: works("string", "Comparison."),
  value: works("text", "Right side."),
};

const affinityParts: BlockParts = {
  repeats: true,
  attributes: {
    ...constraintLike,
    weight: works("integer", "-100 to 100; 50.", { min: -100, max: 100 }),
    regexp: works("string", "Short for operator = regexp."),
    version: works("string", "Short for operator = version."),
    semver: works("string", "Short for operator = semver."),
    set_contains: works("string", "Short for operator = set_contains."),
    set_contains_all: works("string", "Short for operator = set_contains."),
    set_contains_any: works("string", "Short for operator = set_contains_any."),
  },
};

export const scalingParts: BlockParts = {
  attributes: {
    enabled: works("bool", "true."),
    min: works("integer", "The count.", { min: 0 }),
    max: works("integer", "At most.", { required: true, min: 0 }),
    type: works("string", "horizontal."),
  },
  blocks: { policy: openBlock("Of the autoscaler alone.") },
};

/** `scaling "cpu" { }` of a task. */
export const taskScalingParts: BlockParts = { ...scalingParts, labels: 1, repeats: true };

export const actionParts: BlockParts = {
  labels: 1,
  repeats: true,
  attributes: {
    command: works("string", "Program.", { required: true }),
    args: works("strings", "Its arguments."),
  },
};

export const uiParts: BlockParts = {
  attributes: { description: works("string", "At most 1000 characters.") },
  blocks: {
    link: {
      repeats: true,
      attributes: { label: works("string", "Shown text."), url: works("string", "Where it leads.") },
    },
  },
};

export const deviceParts: BlockParts = {
  labels: 1,
  repeats: true,
  attributes: { count: works("integer", "1.", { min: 1 }) },
  blocks: { constraint: { repeats: true, attributes: constraintLike }, affinity: affinityParts },
};

export const numaParts: BlockParts = {
  attributes: {
    affinity: works("string", "none (default), prefer or require.", { oneOf: ["none", "prefer", "require"] }),
    devices: works("strings", "Devices that are to be close."),
  },
};

export const scheduleParts: BlockParts = {
  blocks: {
    cron: {
      attributes: {
        start: works("string", "Cron text."),
        end: works("string", "Minute and hour."),
        timezone: works("string", "IANA name."),
      },
    },
  },
};

export const identityParts: BlockParts = {
  repeats: true,
  attributes: {
    name: works("string", "default."),
    aud: works("strings", "Whom the token is for."),
    ttl: works("duration", "How long it holds.", { min: 0 }),
    env: works("bool", "Into the environment; false."),
    file: works("bool", "Into a file; false."),
    filepath: works("string", "Which."),
    change_mode: works("string", "noop (default), restart or signal.", { oneOf: ["noop", "restart", "signal"] }),
    change_signal: works("string", "Of mode signal."),
    service_name: works("string", "Of a service's."),
    extra_claims: works("string-map", "More in the token."),
  },
};

export const secretParts: BlockParts = {
  labels: 1,
  repeats: true,
  attributes: {
    provider: works("string", "Who has it."),
    path: works("string", "Its name there."),
    env: works("string-map", "For the provider."),
  },
  blocks: { config: openBlock("Of the provider alone.") },
};

export const vaultParts: BlockParts = {
  attributes: {
    role: works("string", "Role."),
    policies: works("strings", "Policies."),
    namespace: works("string", "Namespace."),
    cluster: works("string", "Cluster."),
    env: works("bool", "true."),
    disable_file: works("bool", "false."),
    change_mode: works("string", "restart (default), signal or noop.", { oneOf: ["restart", "signal", "noop"] }),
    change_signal: works("string", "Of mode signal."),
    allow_token_expiration: works("bool", "false."),
  },
};

export const consulParts: BlockParts = {
  attributes: {
    namespace: works("string", "Namespace."),
    cluster: works("string", "Cluster."),
    partition: works("string", "Partition."),
  },
};

export const csiPluginParts: BlockParts = {
  attributes: {
    id: works("string", "Name of the plugin."),
    type: works("string", "node, controller or monolith.", { oneOf: ["node", "controller", "monolith"] }),
    mount_dir: works("string", "/csi."),
    stage_publish_base_dir: works("string", "Where volumes are staged."),
    health_timeout: works("duration", "30s.", { min: 0 }),
  },
};

export const multiregionParts: BlockParts = {
  blocks: {
    strategy: {
      attributes: { max_parallel: works("integer", "Regions at a time."), on_failure: works("string", "What then.") },
    },
    region: {
      labels: 1,
      repeats: true,
      attributes: {
        count: works("integer", "Instances.", { min: 0 }),
        datacenters: works("strings", "Data centres."),
        node_pool: works("string", "Pool."),
        meta: works("string-map", "Names and texts."),
      },
    },
  },
};

export const weightsParts: BlockParts = {
  attributes: { passing: works("integer", "1.", { min: 0 }), warning: works("integer", "1.", { min: 0 }) },
};

export const cniParts: BlockParts = {
  attributes: { args: works("string-map", "For the plugins.") },
};
