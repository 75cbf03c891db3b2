import type { Clock } from "./clock.ts";

/** The longest delay that Node's timers can hold; a longer one would fire at once. */
const delayMsMax = 2 ** 31 - 1;

/** The machine's clock. Its timers keep the process alive. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  epochMs: () => Date.now(),
  after: (delayMs, wake) => {
    if (delayMs <= 0) {
      // The end of this turn: a timer would wait a whole millisecond.
      const turn = setImmediate(wake);
      return () => clearImmediate(turn);
    }
    if (delayMs <= delayMsMax) {
      const timer = setTimeout(wake, delayMs);
      return () => clearTimeout(timer);
    }
    let cancel = systemClock.after(delayMsMax, () => {
      cancel = systemClock.after(delayMs - delayMsMax, wake);
    });
    return () => cancel();
  },
};
