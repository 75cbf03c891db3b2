import type { Messages, methods } from "@muster/proto";

/** Every method of the contract, for instance "Scheduling.Subscribe". */
export type MethodName = keyof typeof methods;

/** The message that goes to the server, all fields set. */
export type RequestOf<M extends MethodName> = Messages[(typeof methods)[M]["request"]];

/** The message that comes from the server, all fields set. */
export type ResponseOf<M extends MethodName> = Messages[(typeof methods)[M]["response"]];

/** Every message of the contract by its name. */
export type MessageName = keyof Messages;
