export { defaultMasterConfig, type MasterConfig } from "./config.ts";
export type { Agent, Framework, Group, MasterState, Offer, Task } from "./core/model.ts";
export { type OverlaySettings, parseOverlays } from "./core/overlay/network.ts";
export { methodRules, type ServedMethod } from "./gateway/rights.ts";
export { createMaster, type Master, type MasterDeps } from "./server.ts";
