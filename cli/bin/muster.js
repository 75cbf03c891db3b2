#!/usr/bin/env node
import("../dist/main.js").catch((error) => {
  const built = error.code !== "ERR_MODULE_NOT_FOUND" || !String(error.message).includes("dist/main.js");
  console.error(built ? error : "not built yet; run `npm run build`");
  process.exitCode = 1;
});
