import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalLabel, domainFragment, label, labelLengthMax, shortHash, wireLabelLengthMax } from "./label.ts";

const plain = /^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)?$/;

test("case 2: names become labels, and equal ones stay what they are", () => {
  expect(label("Web_API.shop")).toBe("web-api-shop");
  expect(label("-web-")).toBe("web");
  expect(label("$w e%b")).toBe("web");
  expect(label("web.shop_1-a")).toBe("web-shop-1-a");
  expect(label("ünïque")).toBe("nque");
  const longest = "a".repeat(labelLengthMax);
  expect(label(longest)).toBe(longest);
  expect(shortHash("test")).toBe("iffe9");
});

test("case 3: two long names that begin alike get two labels", () => {
  const beginning = "x".repeat(70);
  const first = label(`${beginning}0123456789`);
  const second = label(`${beginning}9876543210`);
  expect(first).not.toBe(second);
  expect(first).toHaveLength(labelLengthMax);
  expect(first.slice(0, 57)).toBe(`${"x".repeat(56)}-`);
});

test("dots of a framework's name stay dots, empty parts go", () => {
  expect(domainFragment("Marathon.prod")).toBe("marathon.prod");
  expect(domainFragment("..a..$.b.")).toBe("a.b");
});

test("a canonical name tells task and agent", () => {
  expect(canonicalLabel("web-api-shop", "web.1", "20150827-S12")).toBe("web-api-shop-e844k-s12");
  expect(canonicalLabel("web", "web.1", "plain")).toBe("web-e844k-plain");
});

test("whatever the names are, labels are labels and fit", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), fc.string({ maxLength: 300 }), fc.string(), (name, agentId, id) => {
      const made = label(name);
      expect(made).toMatch(plain);
      expect(made.length).toBeLessThanOrEqual(labelLengthMax);
      expect(label(made)).toBe(made);
      if (made === "") return;
      const canonical = canonicalLabel(made, id, agentId);
      expect(canonical).toMatch(plain);
      expect(canonical.length).toBeLessThanOrEqual(wireLabelLengthMax);
    }),
  );
});
