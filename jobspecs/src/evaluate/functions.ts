import { passwordFunctions } from "./functions/bcrypt.ts";
import { collectionFunctions } from "./functions/collections.ts";
import { conversionFunctions } from "./functions/conversions.ts";
import { encodingFunctions } from "./functions/encodings.ts";
import { fileFunctions } from "./functions/files.ts";
import { FunctionFailure, type FunctionSpec } from "./functions/kit.ts";
import { networkFunctions } from "./functions/networks.ts";
import { numberFunctions } from "./functions/numbers.ts";
import { patternFunctions } from "./functions/patterns.ts";
import { textFunctions } from "./functions/texts.ts";
import { timeFunctions } from "./functions/times.ts";

export { FunctionFailure };

/** All functions but `try`, `can`, `convert` and `templatefile`, which see their arguments unevaluated. */
export const functions: ReadonlyMap<string, FunctionSpec> = new Map([
  ...Object.entries(textFunctions),
  ...Object.entries(numberFunctions),
  ...Object.entries(collectionFunctions),
  ...Object.entries(encodingFunctions),
  ...Object.entries(timeFunctions),
  ...Object.entries(networkFunctions),
  ...Object.entries(fileFunctions),
  ...Object.entries(patternFunctions),
  ...Object.entries(conversionFunctions),
  ...Object.entries(passwordFunctions),
]);
