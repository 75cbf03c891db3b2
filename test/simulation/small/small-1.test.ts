import { testSmallSeeds } from "./small-seeds.ts";

testSmallSeeds(1, 2);
