import type { CheckpointWriter } from "./checkpoint/writer.ts";
import type { AgentEffect, AgentInput } from "./core/effects.ts";
import type { ExecutorSessions } from "./executor-sessions.ts";
import { fetchFiles } from "./fetch-files.ts";
import type { LoopDeps } from "./loop-deps.ts";
import type { Session } from "./session.ts";

/** What the loop around it lends to whoever carries out effects. */
export interface Around {
  readonly writer: CheckpointWriter;
  readonly executors: ExecutorSessions;
  readonly session: () => Session;
  readonly post: (input: AgentInput) => void;
  /** Whether something of the group is still to begin. */
  readonly isStarting: (key: string) => boolean;
  /** Ports of a launch are held by others. */
  readonly portsTaken: () => void;
  /** Something else of the catalog is followed from now on. */
  readonly catalogChanged: () => void;
  /** The master is to be told what the agent is now. */
  readonly sendUpdate: () => void;
}

/** Carries out what an agent's core wants done: each effect is one call of one part of the agent's world. */
export class Performer {
  readonly #deps: LoopDeps;
  readonly #around: Around;

  constructor(deps: LoopDeps, around: Around) {
    this.#deps = deps;
    this.#around = around;
  }

  /** Answers come back as inputs, sooner or later. */
  perform(effect: AgentEffect): void {
    const { proc, hostPorts, prober, nets, images, artifacts, diskMeter, processorMeter, volumes, materials } =
      this.#deps;
    const { groupFiles, log } = this.#deps;
    const { writer, executors } = this.#around;
    switch (effect.type) {
      case "check-ports": {
        const { key } = effect;
        hostPorts.check(effect.questions, (taken) => {
          this.#around.post({ type: "ports-checked", key, taken });
          if (taken.length > 0) this.#around.portsTaken();
        });
        return;
      }
      case "find-listeners":
        hostPorts.listeners(effect.tasks, (found) => this.#around.post({ type: "listeners-found", found }));
        return;
      case "measure-disks":
        diskMeter?.measure(effect.questions, (found) => this.#around.post({ type: "disks-measured", found }));
        return;
      case "measure-processor":
        processorMeter?.measure(effect.questions, (use) => this.#around.post({ type: "processor-measured", use }));
        return;
      case "find-holders": {
        const { id } = effect;
        hostPorts.groupListeners(effect.tasks, (found) => this.#around.post({ type: "holders-found", id, found }));
        return;
      }
      case "persist-intent":
        writer.intent(effect.key, effect.purpose);
        return;
      case "persist-state":
        writer.state(effect.id, effect.purpose);
        return;
      case "persist-set-aside":
        writer.setAside(effect.purpose);
        return;
      case "make-volume": {
        const { operationId } = effect;
        volumes?.make(effect.volumeId, (failure) => this.#around.post({ type: "volume-made", operationId, failure }));
        return;
      }
      case "remove-volume": {
        const { operationId } = effect;
        volumes?.remove(effect.volumeId, (failure) =>
          this.#around.post({ type: "volume-removed", operationId, failure }),
        );
        return;
      }
      case "send-operation-result":
        this.#around.session().sendOperationResult(effect.result);
        return;
      case "read-materials": {
        const { id } = effect.wish;
        materials?.read(effect.wish, (found) => this.#around.post({ type: "materials-read", id, found }));
        return;
      }
      case "refuse-materials": {
        const { id, problem } = effect;
        this.#deps.clock.after(0, () =>
          this.#around.post({ type: "materials-read", id, found: { ok: false, problem } }),
        );
        return;
      }
      case "make-file": {
        const { index, file } = effect;
        materials?.write(file, (problem) => this.#around.post({ type: "file-made", id: file.id, index, problem }));
        return;
      }
      case "run-script": {
        const { id, index } = effect;
        prober.probe(effect.target, effect.timeoutMs, (result) =>
          this.#around.post({ type: "script-ended", id, index, result }),
        );
        return;
      }
      case "follow-catalog":
        this.#around.catalogChanged();
        return;
      case "forget":
        writer.forget(effect.group);
        return;
      case "keep-images":
        images?.keep(effect.ids);
        return;
      case "prepare-image":
        if (images) images.prepare(effect.wish);
        else this.#withoutImages(effect.wish.id);
        return;
      case "take-files": {
        const { key, moves } = effect;
        const done = (failure: string | undefined): void => this.#around.post({ type: "files-taken", key, failure });
        if (groupFiles) groupFiles.take(moves, done);
        else this.#deps.clock.after(0, () => done("this agent can't move files"));
        return;
      }
      case "fetch-files": {
        const { key, wish } = effect;
        const done = (failure: string | undefined): void => this.#around.post({ type: "files-taken", key, failure });
        if (groupFiles) fetchFiles({ ...this.#deps, groupFiles }, wish, () => this.#around.isStarting(key), done);
        else this.#deps.clock.after(0, () => done("this agent can't take over files"));
        return;
      }
      case "release-image":
        images?.release(effect.id);
        return;
      case "fetch-artifacts":
        if (artifacts) artifacts.prepare(effect.wish);
        else this.#withoutArtifacts(effect.wish.id);
        return;
      case "release-artifacts":
        artifacts?.release(effect.id);
        return;
      case "keep-nets":
        nets?.keep(effect.specs);
        return;
      case "build-net":
        if (nets) nets.build(effect.spec);
        else this.#withoutNets(effect.spec.key);
        return;
      case "remove-net":
        nets?.remove(effect.spec);
        return;
      case "tell-networks":
      case "tell-resources":
        this.#around.sendUpdate();
        return;
      case "spawn":
        proc.spawn(effect.spec);
        return;
      case "adopt":
        proc.adopt(effect.id, effect.bootId);
        return;
      case "signal":
        proc.signal(effect.id, effect.signal);
        return;
      case "kill":
        proc.kill(effect.id);
        return;
      case "probe": {
        const { id, index } = effect;
        prober.probe(effect.target, effect.timeoutMs, (result) =>
          this.#around.post({ type: "probed", id, index, result }),
        );
        return;
      }
      case "send":
        this.#around.session().sendStatus(effect.status);
        return;
      case "executor-send":
        executors.send(effect.session, effect.order);
        return;
      case "executor-end":
        executors.end(effect.session, effect.refusal);
        return;
      case "executor-relay": {
        const { frameworkId, executorId, data } = effect;
        this.#around.session().sendExecutorMessage({ frameworkId, executorId, data: Buffer.from(data) });
        return;
      }
      case "log":
        log[effect.level](effect.fields, effect.message);
        return;
    }
  }

  /** A group of an earlier life of the agent, which could do more. */
  #withoutNets(key: string): void {
    const message = "this agent can't make networks any more";
    this.#deps.clock.after(0, () => this.#around.post({ type: "net-failed", key, message }));
  }

  #withoutArtifacts(id: string): void {
    const message = "artifacts can't be fetched on this agent";
    this.#deps.clock.after(0, () => this.#around.post({ type: "artifacts-failed", id, message }));
  }

  #withoutImages(id: string): void {
    const message = "this agent can't prepare images any more";
    this.#deps.clock.after(0, () => this.#around.post({ type: "image-failed", id, message }));
  }
}
