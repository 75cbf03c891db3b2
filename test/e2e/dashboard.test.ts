import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { type Edge, serveEdge } from "@muster/dashboard";
import { silentLog } from "@muster/foundation";
import { Health, TaskState } from "@muster/proto";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Cluster } from "./dashboard-cluster.ts";
import { anAgent, aTask, WatchSource } from "./dashboard-watch.ts";

const executablePath = "/usr/bin/chromium";
const browserMissing = existsSync(executablePath) ? "" : ` (skipped: ${executablePath} is not installed)`;
const browserFlags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'";

let source: WatchSource;
let masterAddress: string;
let edge: Edge;
let edgeAddress: string;

const listen = (watch: WatchSource, address: string): Promise<string> =>
  new Promise((resolve, reject) => watch.listen(address, resolve, reject));
const close = (closing: { close(done: () => void): void }): Promise<void> => new Promise((done) => closing.close(done));

beforeAll(() => {
  execFileSync(process.execPath, [fileURLToPath(new URL("../../dashboard/build.mjs", import.meta.url))]);
});

beforeEach(async () => {
  source = new WatchSource(1);
  source.tell("a1", { agent: anAgent("a1") });
  source.tell("web.1", { task: aTask("web.web.1.k-1") });
  masterAddress = await listen(source, "127.0.0.1:0");
  await serve(masterAddress);
});

afterEach(async () => {
  await close(edge);
  await close(source);
});

/** Starts the edge of a master. */
async function serve(address: string): Promise<void> {
  edgeAddress = await new Promise((resolve, reject) => {
    edge = serveEdge({
      masterAddress: address,
      listen: { port: 0 },
      dnsHttpAddress: "127.0.0.1:1",
      log: silentLog,
      onListening: resolve,
      onError: reject,
    });
  });
}

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

/** A request whose every header is ours to choose, as a browser's would not be. */
function send(method: string, path: string, headers: Record<string, string>, body = ""): Promise<Answer> {
  const [host, port] = edgeAddress.split(":");
  return new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => {
        text += part;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.on("error", reject).end(body);
  });
}

describe("the edge", () => {
  const json = { "content-type": "application/json" };

  test("sends its content policy with everything", async () => {
    for (const path of ["/", "/healthz", "/nothing", "/muster.v1.Watch/Events"]) {
      const { headers } = await send("GET", path, {});
      expect(headers["content-security-policy"], path).toBe(policy);
      expect(headers["x-content-type-options"], path).toBe("nosniff");
    }
    expect((await send("GET", "/", {})).headers["content-type"]).toBe("text/html; charset=utf-8");
  });

  test("relays calls as JSON too, with the master's own errors", async () => {
    const found = await send("POST", "/muster.v1.Operator/GetMaster", json, "{}");
    expect(JSON.parse(found.body)).toMatchObject({ clusterId: "test" });
    const missing = await send("POST", "/muster.v1.Operator/ListRoles", json, "{}");
    expect(JSON.parse(missing.body)).toMatchObject({ code: "unimplemented" });
  });

  test("says at once that the master is away", async () => {
    await close(source);
    const startedAt = performance.now();
    const { status, body } = await send("POST", "/muster.v1.Operator/GetMaster", json, "{}");
    expect([status, JSON.parse(body).code]).toEqual([503, "unavailable"]);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test("refuses a request that is too large, and says when discovery is away", async () => {
    const large = `{"pad":"${"x".repeat(5 * 1024 * 1024)}"}`;
    const refused = await send("POST", "/muster.v1.Operator/GetMaster", json, large);
    expect(JSON.parse(refused.body)).toMatchObject({ code: "resource_exhausted" });
    expect((await send("GET", "/v1/enumerate", {})).status).toBe(502);
  });
});

describe.skipIf(browserMissing !== "")(`the page${browserMissing}`, () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await chromium.launch({ executablePath, args: browserFlags });
  });
  afterAll(() => browser.close());

  beforeEach(async () => {
    complaints.length = 0;
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // A refused connection is what some tests are about.
      if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) {
        complaints.push(message.text());
      }
    });
    await page.goto(`http://${edgeAddress}/`);
    await page.getByText("web.web.1.k-1").waitFor();
  });
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
  });

  const row = (taskId: string) => page.locator("#tasks tbody tr", { hasText: taskId });

  test("shows agents with what is allocated and offered, and tasks with state, health, port, agent, framework", async () => {
    const agent = page.locator("#agents tbody tr", { hasText: "a1" });
    await agent.getByText("registered").waitFor();
    const bar = agent.getByRole("img", { name: /^processors/ });
    expect(await bar.getAttribute("aria-label")).toContain("1.5 allocated, 1 offered, 1.5 free of 4");
    const widths = await bar
      .locator(".bar-part")
      .evaluateAll((parts) => parts.map((part) => part.getAttribute("style")));
    expect(widths).toEqual(["width: 37.5%;", "width: 25%;"]);
    const text = await row("web.web.1.k-1").innerText();
    for (const word of ["running", "healthy", "20123", "a1", "services"]) expect(text).toContain(word);
  });

  test("a new task appears within a second, and so does its end", async () => {
    source.tell("web.2", { task: aTask("web.web.2.k-2") });
    await row("web.web.2.k-2").waitFor({ timeout: 1_000 });
    const failed = aTask("web.web.2.k-2", {}, { state: TaskState.TASK_FAILED, exitCode: 7, reason: 1 });
    source.tell("web.2", { task: failed });
    await row("web.web.2.k-2").getByText("command exited · exit code 7").waitFor({ timeout: 1_000 });
    source.tell("web.2", { taskRemoved: { frameworkId: "framework-services", taskId: "web.web.2.k-2" } }, false);
    await row("web.web.2.k-2").waitFor({ state: "detached", timeout: 1_000 });
  });

  test("case 44: a master that goes away shows as a banner over greyed data; the page goes on where it stopped, unloaded", async () => {
    await page.evaluate("window.loadedOnce = true");
    await close(source);
    await page.getByRole("alert").getByText("Connection lost, retrying").waitFor({ timeout: 3_000 });
    await page.getByText(/What you see is \d+ s old/).waitFor();
    expect(await page.locator("main.stale").count()).toBe(1);
    expect(await row("web.web.1.k-1").count()).toBe(1);

    await listen(source, masterAddress);
    source.tell("web.3", { task: aTask("web.web.3.k-3") });
    await row("web.web.3.k-3").waitFor({ timeout: 10_000 });
    expect(await page.locator(".banner, main.stale").count()).toBe(0);
    expect(source.asked.at(-1)?.epoch).toBe(1);
    expect(source.asked.at(-1)?.sequence).toBeGreaterThanOrEqual(2);
    expect(await page.evaluate("window.loadedOnce")).toBe(true);
  });

  test("a new master's picture replaces the old one whole", async () => {
    await close(source);
    await page.getByText("Connection lost, retrying").waitFor({ timeout: 3_000 });
    source = new WatchSource(2);
    source.tell("new", { task: aTask("api.api.0.m-1") });
    await listen(source, masterAddress);
    await row("api.api.0.m-1").waitFor({ timeout: 10_000 });
    expect(await row("web.web.1.k-1").count()).toBe(0);
    await page.getByText("No agent has registered").waitFor();
  });

  test("the master hears when the page is closed", async () => {
    expect(source.readerCount).toBe(1);
    await page.goto("about:blank");
    await expect.poll(() => source.readerCount, { timeout: 5_000 }).toBe(0);
    expect(source.left).toBe(1);
  });

  test("case 49: a link shows somebody else the same view: its filter, its choice and its open task", async () => {
    source.tell("sick", { task: aTask("api.api.0.k-9", {}, { health: Health.HEALTH_UNHEALTHY }) });
    source.tell("over", { task: aTask("api.api.1.k-8", {}, { state: TaskState.TASK_FAILED }) });
    await row("api.api.1.k-8").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("api");
    await row("web.web.1.k-1").waitFor({ state: "detached" });
    await row("api.api.0.k-9").getByRole("button").first().click();
    await page.locator("aside.details").waitFor();
    const view = (seen: Page) => ({
      rows: seen.locator("#tasks tbody tr").allInnerTexts(),
      details: seen.locator("aside.details").innerText(),
    });
    const other = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    try {
      await other.goto(page.url());
      await other.locator("aside.details").waitFor();
      const [mine, theirs] = [view(page), view(other)];
      const names = (texts: readonly string[]) => texts.map((text) => /api\.api\.\d\.k-\d|web\S+/.exec(text)?.[0]);
      expect(names(await theirs.rows)).toEqual(names(await mine.rows));
      expect(await theirs.details).toContain("api.api.0.k-9");
    } finally {
      await other.close();
    }
  });

  test("case 50: an empty cluster says what is missing, and how to begin", async () => {
    source.tell("a1", { agentRemoved: "agent-a1" }, false);
    source.tell("web.1", { taskRemoved: { frameworkId: "framework-services", taskId: "web.web.1.k-1" } }, false);
    await page.getByText("No agent has registered").waitFor();
    await page.locator("code", { hasText: "muster job run web.hcl" }).waitFor();
    await page.getByText("No offer is out").waitFor();
  });

  test("case 47: dark colours and reduced motion are obeyed", async () => {
    const ground = (): Promise<string> => page.evaluate("getComputedStyle(document.documentElement).backgroundColor");
    const brightness = async (): Promise<number> => {
      const parts = (await ground()).match(/\d+/g) ?? [];
      return parts.slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
    };
    await page.emulateMedia({ colorScheme: "light" });
    expect(await brightness()).toBeGreaterThan(200);
    await page.emulateMedia({ colorScheme: "dark" });
    expect(await brightness()).toBeLessThan(60);
    // Bars are all that moves, when what they show has changed.
    const durations = (): Promise<string[]> =>
      page.evaluate(
        "[...new Set([...document.querySelectorAll('*')].map((e) => getComputedStyle(e).transitionDuration))]",
      );
    await page.emulateMedia({ reducedMotion: "no-preference" });
    expect((await durations()).sort()).toEqual(["0.2s", "0s"]);
    await page.emulateMedia({ reducedMotion: "reduce" });
    expect(await durations()).toEqual(["0s"]);
  });

  test("the filter is kept in the address, by keyboard alone", async () => {
    source.tell("sick", { task: aTask("api.api.0.k-9", {}, { health: Health.HEALTH_UNHEALTHY }) });
    await row("api.api.0.k-9").waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("health:unhealthy");
    await row("web.web.1.k-1").waitFor({ state: "detached" });
    expect(await row("api.api.0.k-9").count()).toBe(1);
    expect(page.url()).toContain("filter=health%3Aunhealthy");
    await page.reload();
    await row("api.api.0.k-9").waitFor();
    expect(await row("web.web.1.k-1").count()).toBe(0);
  });

  test("ten thousand tasks keep the page small, and the last is found", async () => {
    for (let index = 0; index < 10_000; index += 1) source.tell(`bulk.${index}`, { task: aTask(`bulk.g.${index}.k`) });
    await page.getByText("10,001 tasks").first().waitFor({ timeout: 60_000 });
    expect(await page.locator("*").count()).toBeLessThan(3_000);
    await page.locator("#filter").fill("bulk.g.9999.k");
    await row("bulk.g.9999.k").waitFor();
    await page.locator("#filter").fill("");
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)");
    await row("web.web.1.k-1").waitFor();
    expect(await page.locator("*").count()).toBeLessThan(3_000);
  });

  test("case 48: fits a window of 320 pixels", async () => {
    await page.setViewportSize({ width: 320, height: 700 });
    await row("web.web.1.k-1").scrollIntoViewIfNeeded();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(320);
  });

  test("with a master: a launch is seen within a second; after the master's death its successor is, and whom it awaits", async () => {
    await close(edge);
    const cluster = new Cluster();
    const address = await cluster.startMaster("127.0.0.1:0");
    await serve(address);
    await page.goto(`http://${edgeAddress}/`);
    await page.getByText("No agent has registered").waitFor();
    expect(await page.locator("code", { hasText: "muster job run web.hcl" }).count()).toBe(1);

    cluster.startAgent(address);
    await page.locator("#agents tbody tr", { hasText: "a1" }).getByText("registered").waitFor({ timeout: 1_000 });
    cluster.launch(address, { taskId: "web.1", name: "<b>web</b>" });
    await row("web.1").getByText("running").waitFor({ timeout: 1_000 });
    const text = await row("web.1").innerText();
    for (const word of ["<b>web</b>", "healthy", "20007", "a1", "services"]) expect(text).toContain(word);
    await page
      .getByRole("img", { name: /^processors: 0.5 allocated/ })
      .first()
      .waitFor({ timeout: 1_000 });

    await page.evaluate("window.loadedOnce = true");
    await cluster.stopMaster();
    await page.getByText("Connection lost, retrying").waitFor({ timeout: 3_000 });
    expect(await row("web.1").count()).toBe(1);
    await cluster.startMaster(address);
    await page.getByText("1 agent not heard of since the master started").waitFor({ timeout: 10_000 });
    await page.locator("#agents tbody tr", { hasText: "a1" }).getByText("awaited").waitFor();
    cluster.startAgent(address);
    await page.locator("#agents tbody tr", { hasText: "a1" }).getByText("registered").waitFor({ timeout: 1_000 });
    expect(await page.evaluate("window.loadedOnce")).toBe(true);
    await cluster.close();
  });
});
