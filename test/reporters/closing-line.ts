import type { Reporter, SerializedError, TestModule } from "vitest/node";

/**
 * Prints `N passed, N failed, N skipped` as the very last line, and before it which tests have failed, and which this
 * machine can't run, and why. A file that fails to load counts as one failure.
 */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const failures = unhandled.map(({ message }) => `failed outside of any test: ${message.split("\n")[0]}\n`);
    const lacking: string[] = [];
    const counts = { passed: 0, failed: unhandled.length, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) {
        const state = test.result().state;
        if (state === "passed") counts.passed++;
        else if (state === "failed") {
          counts.failed++;
          failures.push(`failed: ${module.relativeModuleId} > ${test.fullName}\n`);
        } else counts.skipped++;
        if (state === "skipped" && test.name.includes("(skipped: ")) lacking.push(`${test.name}\n`);
      }
      const loaded = module.state() !== "failed" || tests.some((test) => test.result().state === "failed");
      if (!loaded) {
        counts.failed++;
        failures.push(`failed to load: ${module.relativeModuleId}\n`);
      }
    }
    const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`;
    process.once("exit", () => process.stdout.write([...failures, ...lacking, line].join("")));
  }
}
