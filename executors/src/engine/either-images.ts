import type { Images } from "../world/images.ts";

/** Images of two kinds: those that a runtime's containers have, and those of an Engine. Each knows its own. Pure. */
export function eitherImages(own: Images | undefined, engine: Images | undefined): Images | undefined {
  if (!own || !engine) return own ?? engine;
  return {
    start(events) {
      own.start(events);
      engine.start(events);
    },
    keep(ids) {
      own.keep(ids);
      engine.keep(ids);
    },
    prepare: (wish) => (wish.byEngine ? engine : own).prepare(wish),
    release(id) {
      own.release(id);
      engine.release(id);
    },
    stop: (done) => own.stop(() => engine.stop(done)),
  };
}
