// Jobs of benchmarks, from their text.
import { emptyMessage } from "@muster/foundation";
import { canonicalJson, compileJob } from "@muster/jobspecs";

/** Throws what is wrong with it. */
export function compiled(text) {
  const { job, diagnostics } = compileJob({ file: "bench.hcl", text });
  if (!job) throw new Error(JSON.stringify(diagnostics));
  return job;
}

/** What is handed in to run instances that sleep; another number of seconds changes their task, and nothing else. */
export function sleepers({ name, count = 1, maxParallel = 1, seconds = 1_000 }) {
  const source = `job "${name}" {
  group "g" {
    count = ${count}
    update {
      max_parallel     = ${maxParallel}
      min_healthy_time = "0s"
    }
    task "t" {
      driver = "process"
      config {
        command = "sleep"
        args    = ["${seconds}"]
      }
      resources {
        cpu    = 10
        memory = 32
        disk   = 0
      }
    }
  }
}
`;
  const job = compiled(source);
  const { type, role, priority } = job;
  const definition = Buffer.from(canonicalJson(job));
  return { ...emptyMessage("JobSubmission"), name, type, role, priority, definition, source };
}
