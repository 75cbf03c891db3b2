import type { AgentOperationResult, StatusReason, TaskStatus } from "@muster/proto";
import type { ArtifactsWish } from "../../world/artifacts.ts";
import type { DiskFailure, DiskSpace } from "../../world/disk.ts";
import type { DiskQuestion, DiskUse } from "../../world/disk-meter.ts";
import type { FilesWish, FolderMove } from "../../world/group-files.ts";
import type { HostNetwork, HostTask, PortHolder, PortQuestion, TaskListener } from "../../world/host-ports.ts";
import type { ImageReady, ImageWish } from "../../world/images.ts";
import type { MadeFile, MaterialsFound, MaterialsWish } from "../../world/materials.ts";
import type { NetReady, NetSpec, OverlayState } from "../../world/nets.ts";
import type { ProbeResult, ProbeTarget } from "../../world/prober.ts";
import type { ProcExit, ProcSpec, ProcStarted } from "../../world/proc.ts";
import type { ProcessorQuestion, ProcessorUse } from "../../world/processor-meter.ts";
import type { Attachment, ExecutorOrder, ExecutorRefusal } from "./executor-model.ts";
import type { FoundGroup, Group, LaunchRequest } from "./model.ts";
import type { SetAsideOperation, SetAsideState } from "./set-aside/model.ts";
import type { CatalogNews } from "./templates/model.ts";

/** What a commit was for; comes back when it is durable, or is not. */
export type Purpose =
  | { readonly type: "launch"; readonly key: string }
  | { readonly type: "status"; readonly id: string; readonly sequence: number }
  | { readonly type: "set-aside"; readonly operationId: string };

/** What happens to an agent. */
export type AgentInput =
  | { readonly type: "recovered"; readonly groups: readonly FoundGroup[] }
  | { readonly type: "launch"; readonly launch: LaunchRequest }
  | { readonly type: "set-aside"; readonly setAside: SetAsideState }
  | { readonly type: "operation"; readonly operation: SetAsideOperation }
  | {
      readonly type: "volume-made" | "volume-removed";
      readonly operationId: string;
      readonly failure: string | undefined;
    }
  | { readonly type: "files-taken"; readonly key: string; readonly failure: string | undefined }
  | { readonly type: "ports-checked"; readonly key: string; readonly taken: readonly PortHolder[] }
  | { readonly type: "host-networks"; readonly networks: readonly HostNetwork[] }
  | { readonly type: "listeners-found"; readonly found: readonly TaskListener[] }
  | { readonly type: "disks-measured"; readonly found: readonly DiskUse[] }
  | { readonly type: "processor-measured"; readonly use: ProcessorUse | undefined }
  | { readonly type: "holders-found"; readonly id: string; readonly found: readonly TaskListener[] }
  | { readonly type: "image-progress"; readonly id: string; readonly message: string }
  | { readonly type: "image-ready"; readonly id: string; readonly ready: ImageReady }
  | { readonly type: "image-failed"; readonly id: string; readonly message: string }
  | {
      readonly type: "artifacts-progress" | "artifacts-ready" | "artifacts-failed";
      readonly id: string;
      readonly message: string;
    }
  | { readonly type: "net-ready"; readonly key: string; readonly ready: NetReady }
  | { readonly type: "net-failed"; readonly key: string; readonly message: string }
  | { readonly type: "net-gone"; readonly key: string }
  | { readonly type: "overlay"; readonly name: string; readonly state: OverlayState }
  | { readonly type: "durable"; readonly purpose: Purpose }
  | { readonly type: "not-durable"; readonly purpose: Purpose; readonly failure: DiskFailure }
  | { readonly type: "space"; readonly space: DiskSpace }
  | { readonly type: "materials-read"; readonly id: string; readonly found: MaterialsFound }
  | { readonly type: "file-made"; readonly id: string; readonly index: number; readonly problem: string | undefined }
  | { readonly type: "script-ended"; readonly id: string; readonly index: number; readonly result: ProbeResult }
  | { readonly type: "catalog"; readonly isInDoubt: boolean; readonly entries: readonly CatalogNews[] }
  | { readonly type: "started"; readonly id: string; readonly started: ProcStarted }
  | { readonly type: "memory-killed"; readonly id: string; readonly kills: number }
  | { readonly type: "start-failed"; readonly id: string; readonly message: string }
  | { readonly type: "exited"; readonly id: string; readonly exit: ProcExit }
  | { readonly type: "supervisor-lost"; readonly id: string }
  | { readonly type: "absent"; readonly id: string }
  | {
      readonly type: "kill";
      readonly frameworkId: string;
      readonly taskId: string;
      readonly graceMs: number | undefined;
      readonly reason: StatusReason;
      /** For people; undefined: nothing was said. */
      readonly message?: string | undefined;
    }
  | { readonly type: "framework-removed"; readonly frameworkId: string }
  | {
      readonly type: "acknowledged";
      readonly frameworkId: string;
      readonly taskId: string;
      readonly updateId: string;
    }
  | { readonly type: "probed"; readonly id: string; readonly index: number; readonly result: ProbeResult }
  | { readonly type: "executor-attached"; readonly session: number; readonly attachment: Attachment }
  | {
      readonly type: "executor-said";
      readonly session: number;
      readonly statuses: readonly TaskStatus[];
      readonly messages: readonly Uint8Array[];
    }
  | { readonly type: "executor-detached"; readonly session: number }
  | {
      readonly type: "executor-told";
      readonly frameworkId: string;
      readonly executorId: string;
      readonly data: Uint8Array;
    }
  | { readonly type: "registered" }
  | { readonly type: "disconnected" }
  | { readonly type: "drain"; readonly graceMsMax: number }
  | { readonly type: "shut-down"; readonly graceMsMax: number }
  | { readonly type: "wake" };

/** What an agent wants done. */
export type AgentEffect =
  | { readonly type: "check-ports"; readonly key: string; readonly questions: readonly PortQuestion[] }
  | { readonly type: "find-listeners"; readonly tasks: readonly HostTask[] }
  | { readonly type: "measure-disks"; readonly questions: readonly DiskQuestion[] }
  | { readonly type: "measure-processor"; readonly questions: readonly ProcessorQuestion[] }
  | { readonly type: "find-holders"; readonly id: string; readonly tasks: readonly HostTask[] }
  | { readonly type: "persist-intent"; readonly key: string; readonly purpose: Purpose }
  | { readonly type: "persist-state"; readonly id: string; readonly purpose: Purpose | undefined }
  | { readonly type: "persist-set-aside"; readonly purpose: Purpose | undefined }
  | { readonly type: "read-materials"; readonly wish: MaterialsWish }
  | { readonly type: "refuse-materials"; readonly id: string; readonly problem: string }
  | { readonly type: "make-file"; readonly index: number; readonly file: MadeFile }
  | {
      readonly type: "run-script";
      readonly id: string;
      readonly index: number;
      readonly target: ProbeTarget;
      readonly timeoutMs: number;
    }
  /** What is followed in the catalog has changed. */
  | { readonly type: "follow-catalog" }
  | { readonly type: "make-volume" | "remove-volume"; readonly volumeId: string; readonly operationId: string }
  /** Folders of the host, each as a whole. */
  | { readonly type: "take-files"; readonly key: string; readonly moves: readonly FolderMove[] }
  /** Copies of what was left on another agent. */
  | { readonly type: "fetch-files"; readonly key: string; readonly wish: FilesWish }
  | { readonly type: "send-operation-result"; readonly result: AgentOperationResult }
  | { readonly type: "forget"; readonly group: Group }
  | { readonly type: "keep-images"; readonly ids: readonly string[] }
  | { readonly type: "prepare-image"; readonly wish: ImageWish }
  | { readonly type: "release-image"; readonly id: string }
  | { readonly type: "fetch-artifacts"; readonly wish: ArtifactsWish }
  | { readonly type: "release-artifacts"; readonly id: string }
  | { readonly type: "keep-nets"; readonly specs: readonly NetSpec[] }
  | { readonly type: "build-net"; readonly spec: NetSpec }
  | { readonly type: "remove-net"; readonly spec: NetSpec }
  | { readonly type: "tell-networks" | "tell-resources" }
  | { readonly type: "spawn"; readonly spec: ProcSpec }
  | { readonly type: "adopt"; readonly id: string; readonly bootId: string }
  | { readonly type: "signal"; readonly id: string; readonly signal: string }
  | { readonly type: "kill"; readonly id: string }
  | {
      readonly type: "probe";
      readonly id: string;
      readonly index: number;
      readonly target: ProbeTarget;
      readonly timeoutMs: number;
    }
  | { readonly type: "send"; readonly status: TaskStatus }
  | { readonly type: "executor-send"; readonly session: number; readonly order: ExecutorOrder }
  | { readonly type: "executor-end"; readonly session: number; readonly refusal: ExecutorRefusal }
  | {
      readonly type: "executor-relay";
      readonly frameworkId: string;
      readonly executorId: string;
      readonly data: Uint8Array;
    }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn" | "error";
      readonly fields: Readonly<Record<string, unknown>>;
      readonly message: string;
    };
