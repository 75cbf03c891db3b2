// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts show the language, where ${ } is meant.
import { type BlockSchema, block, refused, refusedBlock, warned, works } from "./model.ts";

const later = "not available in this release";

export const templateBlock: BlockSchema = block("A file made from a template, and kept in step with what it names.", {
  repeats: true,
  attributes: {
    data: works("string", "The template's text; or source."),
    source: works("string", "A file of the task that holds it, on the agent: from an artifact, for instance."),
    destination: works("string", "Where the result goes: local/NAME, secrets/NAME or ${NOMAD_ALLOC_DIR}/NAME.", {
      required: true,
    }),
    change_mode: works("string", "When the result changes: restart (default), signal, script or noop.", {
      oneOf: ["restart", "signal", "script", "noop"],
    }),
    change_signal: works("string", "Of mode signal; SIGHUP."),
    once: works("bool", "Rendered at the start alone; false."),
    splay: works("duration", "A change is told up to so much later; 5s.", { min: 0 }),
    perms: works("text", "Mode of the file; 0644."),
    uid: works("integer", "Owner; the agent's account.", { min: -1, max: 4_294_967_294 }),
    gid: works("integer", "Group; the agent's.", { min: -1, max: 4_294_967_294 }),
    left_delimiter: works("string", "{{"),
    right_delimiter: works("string", "}}"),
    env: works("bool", "The result holds lines NAME=VALUE for the environment; false."),
    error_on_missing_key: works("bool", "A name that a map has not is a mistake; false."),
    vault_grace: warned("Old.", "has no meaning since Nomad 0.11"),
  },
  blocks: {
    change_script: block("Of mode script: runs beside the task.", {
      attributes: {
        command: works("string", "Program.", { required: true }),
        args: works("strings", "Its arguments."),
        timeout: works("duration", "5s.", { min: 1 }),
        fail_on_error: works("bool", "Its failure ends the task; false."),
        run_on_first_render: refused("Also before the start.", "use a prestart task"),
      },
    }),
    wait: block("Changes are taken in together.", {
      attributes: {
        min: works("duration", "Rendered when nothing has changed for so long.", { required: true, min: 0 }),
        max: works("duration", "At the latest so long after a change; four times min.", { min: 0 }),
      },
    }),
  },
});

export const secretBlock: BlockSchema = block(
  "A secret by reference: ${secret.LABEL.KEY} in env, secretText in templates.",
  {
    labels: 1,
    repeats: true,
    attributes: {
      provider: works("string", "file or env, which the agent's operator sets out, or key, a key of the cluster.", {
        required: true,
      }),
      path: works("string", "Of the file below the folder of the job's role, of the key, or name of the variable.", {
        required: true,
      }),
      env: refused("For the provider.", later),
    },
    blocks: {
      config: refusedBlock("Of Nomad's own providers alone.", later, {
        attributes: { namespace: works("string", "Of nomad."), engine: works("string", "Of vault.") },
      }),
    },
  },
);
