import { type AttributeSchema, type BlockSchema, refused, refusedBlock, warned, warnedBlock } from "./model.ts";

const later = "not available in this release";
const groupNetwork = "write it in network of the group";

/** What Nomad's docker driver knows beside the settings that all drivers with images have. */
export const dockerAttributes: Readonly<Record<string, AttributeSchema>> = {
  auth_soft_fail: warned("Of docker: go on without the registry's key.", "a registry that needs none is asked without"),
  container_exists_attempts: warned("Of docker: tries where the name is taken.", "names are never taken"),
  cgroupns: warned("Of docker: whose cgroups it sees.", "a container has its own"),
  init: warned("Of docker: a first process that reaps.", "the agent's supervisor ends what is left over"),
  cpu_cfs_period: warned("Of docker: window of the processor's bound.", "cpu_max needs none"),
  cpu_hard_limit: refused("Of docker: never more than cpu.", "write cpu_max in resources"),
  memory_hard_limit: refused("Of docker: memory at most.", "write memory_max in resources"),
  devices: refused("Of docker: devices of the host.", later),
  dns_servers: refused("Of docker: name servers.", "write dns in network of the group"),
  dns_search_domains: refused("Of docker: domains of short names.", "write dns in network of the group"),
  dns_options: refused("Of docker: options of the resolver.", "write dns in network of the group"),
  extra_hosts: refused("Of docker: names with addresses.", later),
  group_add: refused("Of docker: more groups of the user.", later),
  healthchecks: refused("Of docker: checks of the image.", "write check in a service"),
  hostname: refused("Of docker: name of the host inside.", groupNetwork),
  interactive: refused("Of docker: input stays open.", later),
  ipv4_address: refused("Of docker: address.", groupNetwork),
  ipv6_address: refused("Of docker: address.", groupNetwork),
  isolation: refused("Of docker on Windows.", later),
  load: refused("Of docker: an image from a file.", 'write image = "docker-archive:/path" or "oci:/folder:tag"'),
  mac_address: refused("Of docker: hardware address.", groupNetwork),
  mounts: refused("Of docker: what is mounted.", later),
  network_aliases: refused("Of docker: names in its network.", "write a service"),
  advertise_ipv6_address: refused("Of docker: address shown.", "discovery shows all addresses"),
  port_map: refused("Of docker: old ports.", 'write port "label" { to = n } in network of the group'),
  readonly_rootfs: refused("Of docker: nothing may be written.", later),
  runtime: refused("Of docker: another runtime.", later),
  security_opt: refused("Of docker: profiles.", later),
  shm_size: refused("Of docker: shared memory.", later),
  storage_opt: refused("Of docker: of the storage.", later),
  sysctl: refused("Of docker: settings of the kernel.", later),
  tty: refused("Of docker: a terminal.", "job exec gives one"),
  ulimit: refused("Of docker: limits of the user.", later),
  userns_mode: refused("Of docker: whose users.", later),
  uts_mode: refused("Of docker: whose host name.", later),
  volume_driver: refused("Of docker: plugin of volumes.", later),
};

export const dockerBlocks: Readonly<Record<string, BlockSchema>> = {
  mount: refusedBlock("Of docker: what is mounted.", later),
  labels: warnedBlock("Of docker: words on the container.", "containers are known by their task's id"),
  logging: warnedBlock("Of docker: where output goes.", "the agent keeps it; see logs"),
};
