// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { type BlockSchema, block, works } from "./model.ts";

export const constraintBlock: BlockSchema = block("Agents that may be used.", {
  repeats: true,
  attributes: {
    attribute: works("string", "Left side, e.g. ${attr.kernel.name}."),
    operator: works(
      "string",
      "= (default), !=, <, <=, >, >=, regexp, version, semver, set_contains, like, unlike, unique, max_per, cluster, group_by, IS, ...",
    ),
    value: works("text", "Right side."),
    distinct_hosts: works("bool", "No two instances on one agent."),
    distinct_property: works("string", "At most `value` (1) instances per value of this attribute."),
    regexp: works("string", "Short for operator = regexp."),
    version: works("string", "Short for operator = version."),
    semver: works("string", "Short for operator = semver."),
    set_contains: works("string", "Short for operator = set_contains."),
    set_contains_all: works("string", "Short for operator = set_contains."),
    set_contains_any: works("string", "Short for operator = set_contains_any."),
    is_set: works("bool", "The attribute exists."),
    is_not_set: works("bool", "The attribute does not exist."),
  },
});

const { distinct_hosts: _hosts, distinct_property: _property, ...comparisons } = constraintBlock.attributes;

export const affinityBlock: BlockSchema = block("Agents that are preferred, or avoided.", {
  repeats: true,
  attributes: {
    ...comparisons,
    weight: works("integer", "How much, beside other affinities; below 0: avoided; 50.", { min: -100, max: 100 }),
  },
});

const targetBlock: BlockSchema = block("Share of one value.", {
  labels: 1,
  repeats: true,
  attributes: {
    value: works("string", "In place of the label."),
    percent: works("integer", "Of all instances.", { required: true, min: 0, max: 100 }),
  },
});

export const spreadBlock: BlockSchema = block("Instances are distributed over the values of an attribute.", {
  repeats: true,
  attributes: {
    attribute: works("string", "E.g. ${meta.rack}.", { required: true }),
    weight: works("integer", "How much, beside other spreads; 50.", { min: 0, max: 100 }),
  },
  blocks: { target: targetBlock },
});
