/** What a single peer may ask of the master. Every one is refused with a typed error, none ends the master. */
export const limits = {
  /** Roles of one framework. */
  rolesPerFramework: 64,
  /** Job types of one framework. */
  jobTypesPerFramework: 64,
  capabilitiesPerFramework: 32,
  /** Offer constraints of one framework. */
  constraintsPerFramework: 64,
  /** Characters of a regular expression in an offer constraint. */
  regexpLength: 128,
  /** Characters of an attribute's value that a regular expression is tried on. */
  regexpSubjectLength: 1_024,
  /** Values of an attribute whose answers an expression remembers. */
  answersPerConstraint: 1_024,
  /** Messages of one framework in one second. Beyond, its session is ended. */
  messagesPerSecond: 10_000,
  /** Offers in one accept or decline. */
  offersPerCall: 1_024,
  /** Operations in one accept or claim. */
  operationsPerAccept: 256,
  /** Claims in one message. */
  claimsPerMessage: 4_096,
  /** Claims of one set. */
  claimsPerSet: 1_024,
  /** Task groups in one accept or claim, over all its operations. */
  groupsPerAccept: 1_024,
  /** Tasks in one group. */
  tasksPerGroup: 64,
  /** Ports that one group asks for. */
  portsPerGroup: 64,
  moreNetworksPerGroup: 7,
  /** Labels of a framework or task. */
  labelsPerRecord: 64,
  /** Characters of a label's name or value. */
  labelLength: 1_024,
  /** Bytes of one message to or from a custom executor. */
  executorMessageBytes: 64 * 1024,
  /** Endpoints of one task. */
  endpointsPerTask: 32,
  /** Bytes of an id. */
  idLength: 255,
  /** Characters of a name: framework, role, task, attribute. */
  nameLength: 255,
  /** Roles that have a weight or a quota of their own. */
  rolesWithSettings: 10_000,
  /** Changes of roles that wait while another is being written. */
  roleCallsWaiting: 1_024,
  /** Frameworks of a role that are looked at to explain why it got nothing. */
  membersExplained: 10,
  /** Roles that are told as those that come before another. */
  rolesExplained: 100,
  /** Attributes of one agent. */
  attributesPerAgent: 512,
  /** Ways of overlay networks that one agent may know. */
  backendsPerAgent: 16,
  /** Network modes, and things that do not work, of one agent. */
  abilitiesPerAgent: 1_024,
  /** Ports in use that an agent may tell of. */
  foreignPortsPerAgent: 4_096,
  /** Filters of one framework on one agent; beyond, the one that ends first goes. */
  filtersPerAgent: 8,
  /** Demands of one framework, over all its roles. */
  demandsPerFramework: 256,
  /** How many of one shape a framework may want. */
  demandCount: 1_000_000,
  /** Agents that a demand may name. */
  agentsPerDemand: 1_000,
  /** How many groups of a budget may be missing at once. */
  preemptedMax: 1_000_000,
  /** Budgets of which some may be missing at once; while there are so many no other loses any. */
  budgetsWanting: 10_000,
  /** Groups that are looked at in one look for room; the next goes on from there. */
  groupsPerLook: 20_000,
  /** For how many units of demands room is made in one look. */
  roomsPerLook: 256,
  /** Messages that a peer may send while its registration is being written. */
  messagesBeforeAdmission: 64,
  /** Questions in one reconcile. */
  questionsPerReconcile: 200_000,
  /** Ended tasks that are remembered for each framework. */
  historyPerFramework: 1_000,
  /** Completed frameworks that are remembered, so that their ids stay refused. */
  completedFrameworks: 1_000,
  /** Agents that may be deactivated, drained or being drained at once. */
  agentStandings: 10_000,
  /** Agents that are gone for ever and are remembered, so that their ids stay refused. */
  goneAgents: 100_000,
  /** Windows in the plan of maintenance. */
  maintenanceWindows: 2_000,
  /** How far ahead maintenance may be planned: a year. */
  maintenanceAheadMs: 365 * 24 * 60 * 60 * 1_000,
  /** How long one window may last: 90 days. */
  maintenanceMs: 90 * 24 * 60 * 60 * 1_000,
  /** Reservations on one agent. */
  reservationsPerAgent: 1_024,
  /** Volumes on one agent. */
  volumesPerAgent: 1_024,
  /** Volumes that one group uses. */
  volumesPerGroup: 32,
  /** Ends of operations that wait for one framework's acknowledgement. */
  operationEndsPerFramework: 1_024,
  /** How long a drain may wait before tasks are ended, and the grace that they then get: 30 days. */
  drainDeadlineMs: 30 * 24 * 60 * 60 * 1_000,
} as const;

export const dayMs = 24 * 60 * 60 * 1_000;
/** A filter lasts at most this long. */
export const refuseMsMax = 365 * dayMs;
/** How long a filter lasts if nobody says. */
export const refuseMsDefault = 5_000;
/** A filter of 0 lasts this long or until the agent changes: else one offer would go round without end. */
export const refuseMsMin = 100;
export const failoverTimeoutMsDefault = dayMs;
export const failoverTimeoutMsMax = 365 * dayMs;
