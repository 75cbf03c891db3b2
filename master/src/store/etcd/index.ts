export { etcdStore } from "./etcd.ts";
export { etcdSettings, isEtcdUrl } from "./settings.ts";
