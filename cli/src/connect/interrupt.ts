/** Resolves at the first Ctrl-C or SIGTERM; `release` gives the signals back. */
export function onInterrupt(): { readonly interrupted: Promise<"interrupted">; release(): void } {
  let heard = (): void => {};
  const interrupted = new Promise<"interrupted">((resolve) => {
    heard = () => resolve("interrupted");
  });
  process.on("SIGINT", heard);
  process.on("SIGTERM", heard);
  return {
    interrupted,
    release: () => {
      process.off("SIGINT", heard);
      process.off("SIGTERM", heard);
    },
  };
}

/** Resolves after so long; `undefined` means never. */
export function deadline(ms: number | undefined): { readonly passed: Promise<"timeout">; release(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<"timeout">((resolve) => {
    if (ms !== undefined) timer = setTimeout(() => resolve("timeout"), ms);
  });
  return { passed, release: () => clearTimeout(timer) };
}
