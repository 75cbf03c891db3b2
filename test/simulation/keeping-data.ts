import {
  codecOf,
  createScheduler,
  createVolume,
  destroyVolume,
  emptyMessage,
  type Offer,
  type Operation,
  type Runtime,
  randomText,
  reserve,
  resources,
  type TaskGroup,
  unreserve,
} from "@muster/framework-sdk";

/** Of each reservation and of each task. */
const amounts = resources({ cpuMillis: 200, memoryMiB: 64, diskMiB: 500 });
const taskAmounts = resources({ cpuMillis: 100, memoryMiB: 32 });
/** Reservations that are wanted on one agent at once. */
const reservationsMax = 3;

/**
 * A framework that reserves, makes volumes, uses them, removes them and gives back, in any order, by chance; from
 * `untilMs` on it only gives back. It keeps nothing: what it has stands in its offers.
 */
export function keepsData(runtime: Runtime, address: string, untilMs: number): { start(): void } {
  const { random, clock } = runtime;
  const names = random.stream("names");
  const name = (kind: string): string => `${kind}-${randomText(names, 10)}`;
  const scheduler = createScheduler(
    runtime,
    { address, framework: { name: "keeper", roles: ["data", "data/inner"] } },
    {
      offers: (offers) => {
        for (const offer of offers) use(offer);
      },
      update: () => {},
    },
  );

  const use = (offer: Offer): void => {
    const before: Operation[] = [];
    const groups: TaskGroup[] = [];
    if (clock.monotonicMs() < untilMs) grow(offer, before, groups);
    else giveBack(offer, before);
    if (before.length === 0 && groups.length === 0) scheduler.decline([offer.offerId], 2_000);
    else scheduler.accept([offer.offerId], groups, { before, refuseMs: 500 });
  };

  const grow = (offer: Offer, before: Operation[], groups: TaskGroup[]): void => {
    const [volume] = offer.volumes;
    const [reserved] = offer.reserved;
    const luck = random.next();
    if (volume && luck < 0.25) before.push(destroyVolume(volume.volumeId, { operationId: name("op") }));
    else if (volume && luck < 0.8) groups.push(launch(volume.volumeId));
    else if (reserved && luck < 0.15) before.push(unreserve(reserved.reservationId, { operationId: name("op") }));
    else if (reserved && (reserved.resources?.diskMiB ?? 0) >= 200 && luck < 0.6) {
      const volumeId = name("vol");
      // Now and then larger than there is room for: the launch after it must not start.
      const diskMiB = random.next() < 0.2 ? 600 : 200;
      before.push(createVolume(volumeId, diskMiB, { operationId: name("op") }));
      groups.push(launch(volumeId));
    } else if (offer.reserved.length < reservationsMax) {
      const role = random.next() < 0.3 ? "data/inner" : "data";
      before.push(reserve(role, amounts, { reservationId: name("resv"), operationId: name("op") }));
    }
  };

  const giveBack = (offer: Offer, before: Operation[]): void => {
    // What is reserved for the role above is given back in an offer to that.
    const own = offer.reserved.filter(({ role }) => role === offer.role);
    const isOwn = (reservationId: string) => own.some((part) => part.reservationId === reservationId);
    for (const { volumeId, reservationId } of offer.volumes)
      if (isOwn(reservationId)) before.push(destroyVolume(volumeId, { operationId: name("op") }));
    // A step that can't be done ends the accept: the one that may fail is the last.
    const whole = own.at(Math.floor(random.next() * own.length));
    if (whole && before.length === 0) before.push(unreserve(whole.reservationId, { operationId: name("op") }));
  };

  const launch = (volumeId: string): TaskGroup => {
    const taskId = name("task");
    const words = ["for", String(500 + Math.floor(random.next() * 8_000))];
    const spec = { ...emptyMessage("TaskSpec"), driver: "process", command: "work", arguments: words };
    const task = { ...emptyMessage("TaskInfo"), taskId, name: "work", resources: taskAmounts };
    return {
      ...emptyMessage("TaskGroup"),
      launchId: name("launch"),
      tasks: [{ ...task, spec: codecOf("TaskSpec").encode(spec) }],
      volumes: [{ volumeId, name: "data" }],
    };
  };

  const look = (): void => {
    scheduler.revive();
    clock.after(3_000, look);
  };
  return {
    start: () => {
      scheduler.start();
      clock.after(3_000, look);
    },
  };
}
