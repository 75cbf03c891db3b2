import { expect, test } from "vitest";
import { validateSource } from "../syntax/validate-source.ts";
import { renderAnnotations } from "./annotations.ts";

test("annotations carry place, code and message, with what means something there written otherwise", () => {
  const text = renderAnnotations(validateSource("jobs/a,b:c%.hcl", 'a = 1\na = 2\nb = "50%\n'));
  expect(text.split("\n")).toEqual([
    '::error file=jobs/a%2Cb%3Ac%25.hcl,line=2,endLine=2,col=1,endColumn=1,title=syntax/attribute-repeated::"a" is set twice%0Ajobs/a,b:c%25.hcl:1:1: first set here',
    expect.stringContaining(
      "line=3,endLine=3,col=9,endColumn=9,title=syntax/unclosed-string::the text is not closed on its line%0A",
    ),
    "",
  ]);
  expect(renderAnnotations([])).toBe("");
});
