import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MusterError, serveGrpc, silentLog } from "@muster/foundation";
import { expect, test } from "vitest";
import { standardServices } from "./standard-services.ts";

const run = promisify(execFile);

test("a stock tool finds the services by reflection and asks for health", async () => {
  const standard = standardServices();
  standard.setServing(true);
  let close = (): void => {};
  const address = await new Promise<string>((listening, failed) => {
    const server = serveGrpc(
      {
        "Operator.GetMaster": (_request, _peer, respond) =>
          void respond({ ok: false, error: new MusterError("unavailable", "not yet") }) as undefined,
      },
      {
        address: "127.0.0.1:0",
        log: silentLog,
        extend: standard.extend,
        listening: (result) => (result instanceof MusterError ? failed(result) : listening(result.address)),
      },
    );
    close = () => server.close(() => {});
  });
  try {
    const curl = (method: string): Promise<{ stdout: string; stderr: string }> =>
      run(
        "node_modules/.bin/buf",
        ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", "{}", `http://${address}/${method}`],
        { timeout: 15_000 },
      );
    expect((await curl("grpc.health.v1.Health/Check")).stdout).toContain("SERVING");
    await expect(curl("muster.v1.Operator/GetMaster")).rejects.toThrow(/not yet/);
  } finally {
    close();
  }
}, 30_000);
