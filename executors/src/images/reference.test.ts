import { expect, test } from "vitest";
import { byDigest, readReference } from "./reference.ts";

const digest = `sha256:${"ab".repeat(32)}`;

test.each([
  ["alpine", "docker://docker.io/library/alpine:latest", "docker.io"],
  ["alpine:3.19", "docker://docker.io/library/alpine:3.19", "docker.io"],
  ["team/app:1", "docker://docker.io/team/app:1", "docker.io"],
  ["registry.example:5000/a/b/c", "docker://registry.example:5000/a/b/c:latest", "registry.example:5000"],
  ["localhost/a:1", "docker://localhost/a:1", "localhost"],
  ["[::1]:5000/a:1", "docker://[::1]:5000/a:1", "[::1]:5000"],
  [`registry.example/a:1@${digest}`, `docker://registry.example/a@${digest}`, "registry.example"],
])("%s is %s of registry %s", (text, source, registry) => {
  expect(readReference(text)).toMatchObject({ ok: true, reference: { source, registry, path: "" } });
});

test("layouts and archives are found by absolute paths", () => {
  expect(readReference("oci:/images/all:web")).toMatchObject({ ok: true, reference: { path: "/images/all" } });
  expect(readReference("docker-archive:/a.tar:web:1")).toMatchObject({ ok: true, reference: { path: "/a.tar" } });
  expect(readReference("oci:images:web")).toMatchObject({ ok: false });
});

test.each(["", "docker://alpine", "Alpine", "a b", "-x", "--help", "a@sha256:12", "a/../b", "a:b:c", "a\nb"])(
  "%j is no name of an image",
  (text) => {
    expect(readReference(text).ok).toBe(false);
  },
);

test("a digest takes the place of the tag, not of a registry's port", () => {
  const read = readReference("registry.example:5000/a/b");
  if (!read.ok) throw new Error(read.problem);
  expect(byDigest(read.reference, digest)).toBe(`docker://registry.example:5000/a/b@${digest}`);
});
