import { expect, test } from "vitest";
import { fromGrpcStatus, toGrpcStatus } from "../errors/grpc-status.ts";
import { MusterError } from "../errors/muster-error.ts";
import { Masters } from "./masters.ts";

const standby = (leader?: string): MusterError =>
  new MusterError("not-leader", "stands by", leader === undefined ? {} : { leader });

test("masters are tried in turn", () => {
  const masters = new Masters("a:1, b:2");
  const tried = Array.from({ length: 3 }, () => {
    const { current } = masters;
    masters.next();
    return current;
  });
  expect(tried).toEqual(["a:1", "b:2", "a:1"]);
  expect(() => new Masters("")).toThrow("must name at least one master");
});

test("the leader that a standby names is tried next, and when it fails those that are known", () => {
  const masters = new Masters(["a:1", "b:2", "c:3"]);
  masters.next(standby("c:3"));
  expect(masters.current).toBe("c:3");
  masters.next();
  expect(masters.current).toBe("a:1");
  masters.next(standby("d:4"));
  expect(masters.current).toBe("d:4");
  masters.next();
  expect(masters.current).toBe("b:2");
  masters.next(standby());
  expect(masters.current).toBe("c:3");
});

test("who leads travels with the refusal", () => {
  const { code, details, metadata } = toGrpcStatus(standby("c:3"));
  const told = fromGrpcStatus(Object.assign(new Error(details), { code, details, metadata, name: "ServiceError" }));
  expect(told).toMatchObject({ kind: "not-leader", leader: "c:3" });
  expect(fromGrpcStatus(Object.assign(new Error("x"), toGrpcStatus(standby()))).leader).toBeUndefined();
});
