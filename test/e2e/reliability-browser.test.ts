import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { type Edge, serveEdge } from "@muster/dashboard";
import { silentLog } from "@muster/foundation";
import { TaskState } from "@muster/proto";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { anAgent, aTask, WatchSource } from "./dashboard-watch.ts";

const executablePath = "/usr/bin/chromium";
const browserMissing = existsSync(executablePath) ? "" : ` (skipped: ${executablePath} is not installed)`;
const json = { "content-type": "application/json" };
const source = new WatchSource(1);
let edge: Edge;
let edgeAddress: string;

beforeAll(async () => {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../dashboard/build.mjs", import.meta.url))]);
  source.tell("a1", { agent: anAgent("a1") });
  const masterAddress = await new Promise<string>((resolve, reject) => source.listen("127.0.0.1:0", resolve, reject));
  edgeAddress = await new Promise((resolve, reject) => {
    edge = serveEdge({
      masterAddress,
      listen: { port: 0 },
      dnsHttpAddress: "127.0.0.1:1",
      log: silentLog,
      onListening: resolve,
      onError: reject,
    });
  });
});
afterAll(async () => {
  await new Promise<void>((done) => edge.close(done));
  await new Promise<void>((done) => source.close(done));
});

/** A request whose every header is ours to choose, as a browser's would not be. */
function send(method: string, path: string, headers: Record<string, string>, body = ""): Promise<{ status: number }> {
  const [host, port] = edgeAddress.split(":");
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve({ status: response.statusCode ?? 0 }));
    });
    sent.on("error", reject).end(body);
  });
}

test("case 56: who asks for a foreign host at the loopback address is misdirected", async () => {
  expect((await send("GET", "/", { host: "evil.example" })).status).toBe(421);
  expect((await send("GET", "/", { host: edgeAddress })).status).toBe(200);
  expect((await send("GET", "/", { host: "localhost:1234" })).status).toBe(200);
});

test("case 55: calls from pages of other origins are refused, and calls that a form could make", async () => {
  const path = "/muster.v1.Operator/GetMaster";
  expect((await send("POST", path, { ...json, origin: "http://evil.example" }, "{}")).status).toBe(403);
  expect((await send("POST", path, { "content-type": "text/plain" }, "{}")).status).toBe(415);
  expect((await send("POST", path, { ...json, origin: `http://${edgeAddress}` }, "{}")).status).toBe(200);
});

test.skipIf(browserMissing !== "")(
  `case 53: a job that is named like markup is text wherever the page shows it${browserMissing}`,
  async () => {
    const name = "<img onerror=document.title='owned' src=x>";
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
    try {
      const page = await browser.newPage();
      await page.goto(`http://${edgeAddress}/`);
      source.tell("agent", { agent: anAgent("a2", { name }) });
      source.tell("evil", {
        task: aTask("evil.1", { name, frameworkName: name }, { message: name, state: TaskState.TASK_FAILED }),
      });
      await page.getByRole("button", { name }).click();
      await page.locator("aside.details").getByRole("heading", { name }).waitFor();
      await page.locator("#agents").getByText(name).waitFor();
      const icons = await page.locator("img").evaluateAll((images) => images.map((image) => image.getAttribute("src")));
      expect(icons).toEqual(icons.filter((place) => place !== "x"));
      expect(await page.locator("img[onerror]").count()).toBe(0);
      expect(await page.title()).toBe("Muster");
    } finally {
      await browser.close();
    }
  },
);
