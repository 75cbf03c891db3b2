import descriptors from "virtual:descriptors";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import { render } from "preact";
import { startFeed } from "./feed.ts";
import { followAddress } from "./place.ts";
import { App } from "./ui/app.tsx";
import { followKeys } from "./ui/keys.ts";
import { watchOver } from "./wire/watch.ts";

const bytes = Uint8Array.from(atob(descriptors), (character) => character.charCodeAt(0));
const feed = startFeed(watchOver(createGrpcWebTransport({ baseUrl: location.origin }), bytes));
// Whoever comes back to the page, or to a network, does not want to wait for the next try.
addEventListener("online", () => feed.retryNow());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") feed.retryNow();
});
followAddress();
followKeys();
const root = document.getElementById("app");
if (root !== null) render(<App feed={feed} />, root);
