import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { MusterError, serveGrpc, silentLog } from "@muster/foundation";
import { expect, test } from "vitest";
import { standardServices } from "./standard-services.ts";

const run = promisify(execFile);

test("a stock tool finds the services by reflection and asks for health", async () => {
  const standard = standardServices();
  standard.setRole("leading");
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
    const curl = (method: string, data = "{}"): Promise<{ stdout: string; stderr: string }> =>
      run(
        "node_modules/.bin/buf",
        ["curl", "--protocol", "grpc", "--http2-prior-knowledge", "-d", data, `http://${address}/${method}`],
        { timeout: 15_000 },
      );
    const health = async (service: string): Promise<string> =>
      JSON.parse((await curl("grpc.health.v1.Health/Check", JSON.stringify({ service }))).stdout).status;
    expect([await health(""), await health("standby")]).toEqual(["SERVING", "NOT_SERVING"]);
    standard.setRole("standby");
    expect([await health(""), await health("standby")]).toEqual(["NOT_SERVING", "SERVING"]);
    await expect(curl("muster.v1.Operator/GetMaster")).rejects.toThrow(/not yet/);
  } finally {
    close();
  }
}, 30_000);
