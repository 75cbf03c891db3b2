import bcryptjs from "bcryptjs";
import { stringValue } from "../value.ts";
import { FunctionFailure, type FunctionTable, integerOf, textOf } from "./kit.ts";

/** Rounds are 2 to this power; each one more doubles the time, of which 10 takes some 60 ms. */
export const bcryptCostMax = 12;

/** Steps of the compilation that one power of two takes: one hash of cost 10 and no more than three. */
const stepsPerRound = 60;

export const passwordFunctions: FunctionTable = {
  bcrypt: {
    min: 1,
    max: 2,
    run: (args, around) => {
      const cost = args.length > 1 ? integerOf(args, 1) : 10;
      if (cost < 4 || cost > bcryptCostMax) throw new FunctionFailure(`the cost is 4 to ${bcryptCostMax}`, 1);
      if (bcryptjs.truncates(textOf(args, 0))) throw new FunctionFailure("a password has at most 72 bytes");
      if (around.effort.stepsLeft < stepsPerRound * 2 ** cost)
        throw new FunctionFailure("too many passwords are to be hashed in one file");
      around.effort.stepsLeft -= stepsPerRound * 2 ** cost;
      return stringValue(bcryptjs.hashSync(textOf(args, 0), salt(cost, around.randomBytes(16))));
    },
  },
};

/** As the hash begins: kind, cost and salt. Kind 2b is 2a without a fault that its first makers had. */
function salt(cost: number, bytes: Uint8Array): string {
  return `$2a$${String(cost).padStart(2, "0")}$${bcryptjs.encodeBase64(bytes, bytes.length)}`;
}
