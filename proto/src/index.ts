export * from "./gen/index.ts";
export { loaderOptions, protoDirectory, protoFiles } from "./loader-options.ts";
