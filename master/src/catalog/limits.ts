/** Readers at one time: one for each agent that has use for it. */
export const catalogReadersMax = 20_000;
/** Subjects that one reader may want. */
export const catalogSubjectsMax = 4_096;
/** Bytes of the name of a subject. */
export const catalogNameBytesMax = 512;
/** Instances of one service that are told. */
export const catalogInstancesMax = 10_000;
/** Keys of one folder that are told, and bytes of their values. */
export const catalogKeysMax = 1_000;
export const catalogKeysBytesMax = 1024 * 1024;
/** Changes of services are told together, at most once in so long. */
export const catalogTellMs = 100;
/** While agents are awaited, it is looked so often whether they still are. */
export const catalogDoubtMs = 1_000;
/** Bytes of entries that go into one message; one entry may be larger. */
export const catalogMessageBytesMax = 256 * 1024;
