import { type Resources, resources } from "@muster/foundation";
import type { Discovery, TaskInfo } from "@muster/proto";
import type { Framework, TaskParts } from "./model.ts";

/** Names of tasks whose parts a framework remembers; the one that came first is forgotten first. */
export const partsPerFrameworkMax = 64;

/**
 * What a task tells of itself, as the master keeps it: shared with the framework's task of that name before wherever that
 * said the same. Most tasks of one name are instances of one group, and half of what would be kept of each is alike.
 * O(size of what is told).
 */
export function sharedParts(framework: Framework, info: TaskInfo): TaskParts {
  const { parts } = framework;
  const last = parts.get(info.name);
  const asked = info.resources;
  const sharesResources = last !== undefined && asked !== null && sameFirm(asked, last.resources);
  const sharesDiscovery = last !== undefined && sameDiscovery(info.discovery, last.discovery);
  const sharesLabels = last !== undefined && sameLabels(info.labels, last.labels);
  if (sharesResources && sharesDiscovery && sharesLabels) return last;
  const own: TaskParts = {
    resources: sharesResources ? last.resources : { ...resources(asked), portCount: 0 },
    discovery: sharesDiscovery ? last.discovery : info.discovery,
    labels: sharesLabels ? last.labels : info.labels,
  };
  if (last === undefined && parts.size >= partsPerFrameworkMax) parts.delete(parts.keys().next().value as string);
  parts.set(info.name, own);
  return own;
}

/** All but ports, which are a group's. */
function sameFirm(a: Resources, b: Resources): boolean {
  if (a.cpuMillis !== b.cpuMillis || a.memoryMiB !== b.memoryMiB || a.diskMiB !== b.diskMiB) return false;
  for (const name in a.custom) if (a.custom[name] !== b.custom[name]) return false;
  for (const name in b.custom) if (!Object.hasOwn(a.custom, name)) return false;
  return true;
}

function sameDiscovery(a: Discovery | null, b: Discovery | null): boolean {
  if (a === null || b === null || a.endpoints.length !== b.endpoints.length) return a === b;
  return a.endpoints.every((endpoint, index) => {
    const other = b.endpoints[index];
    return (
      other !== undefined &&
      endpoint.name === other.name &&
      endpoint.portLabel === other.portLabel &&
      endpoint.protocol === other.protocol &&
      endpoint.tags.length === other.tags.length &&
      endpoint.tags.every((tag, place) => tag === other.tags[place]) &&
      sameLabels(endpoint.meta, other.meta)
    );
  });
}

function sameLabels(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  let count = 0;
  for (const name in a) {
    if (a[name] !== b[name]) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}
