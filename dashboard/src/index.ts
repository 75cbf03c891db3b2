export { type Edge, type EdgeOptions, serveEdge } from "./edge/serve-edge.ts";
