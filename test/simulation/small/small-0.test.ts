import { testSmallSeeds } from "./small-seeds.ts";

testSmallSeeds(0, 2);
