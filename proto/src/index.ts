export { contractJson } from "./gen/contract.ts";
export * from "./gen/index.ts";
export { loaderOptions } from "./loader-options.ts";
