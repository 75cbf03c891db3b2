export type { Instance, JobEntry, ServicesState } from "./core/model.ts";
export { createServices, type Services, type ServicesConfig } from "./driver.ts";
