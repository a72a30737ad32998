/** Every bound of the agent's memory and patience, in one place (law 7). Those of the wire are in proto/limits.ts. */

/** Bytes of inline inputs and arguments of tasks that have not ended; outputs are on disk alone. */
export const INLINE_BYTES_TOTAL_MAX = 64 * 1024 * 1024;
export const INLINE_BYTES_PER_VEHICLE_MAX = 16 * 1024 * 1024;
/** Request ids of closed tasks that are remembered; the oldest are forgotten first. */
export const CLOSED_TASKS_MAX = 100_000;
/** Tasks that one housekeeping forgets: the rest waits for the next, and one transaction stays short. */
export const FORGOTTEN_MAX = 5_000;
/** Blobs that requests and results wait for, in all and of one vehicle: who sends none must leave room for who does. */
export const AWAITED_BLOBS_MAX = 256;
export const AWAITED_BLOBS_PER_VEHICLE_MAX = 16;
/** Of what all vehicles share, in thousandths: so much at most is taken by those that nothing is known of, and with those that are owed
 * something. The rest is for who is plugged in. */
export const STRANGERS_MILLIS_MAX = 750;
export const GUESTS_MILLIS_MAX = 875;
/** Requests and results that wait for them; each can be 64 KiB of arguments. */
export const AWAITING_MESSAGES_MAX = 1_024;
export const AWAITING_MESSAGES_PER_VEHICLE_MAX = 128;
/** That of the wire (proto/limits.ts), which the core takes no code from; a test holds them equal. */
export const CHECKPOINT_BYTES_MAX = 16 * 1024 * 1024;
/**
 * Bytes of checkpoints of one lease, at once and a second: twice what the largest takes that is kept as often as any is. Each counts
 * as this much at least, since it costs a commit.
 */
export const CHECKPOINT_BUDGET_BYTES_MAX = 4 * CHECKPOINT_BYTES_MAX;
export const CHECKPOINT_BUDGET_BYTES_PER_S = CHECKPOINT_BYTES_MAX / 16;
export const CHECKPOINT_COUNTED_BYTES_MIN = 512 * 1024;
/** Ten million euro in one booking, and far below what sums of bookings can hold exactly. */
export const MONEY_MICROS_MAX = 1e15;
export const TARIFFS_MAX = 64;
/** Checkpoints of one attempt that are booked each for itself; what comes after them is booked with the result. */
export const SEGMENTS_MAX = 10_000;
/** Vehicles of which it is remembered what was credited to them on trust. */
export const UNPROVEN_VEHICLES_MAX = 10_000;
/** Accounts in one booking of a settlement. */
export const SETTLED_ACCOUNTS_MAX = 100;
export const ALGORITHMS_MAX = 1_000;
export const CONNECTORS_MAX = 10_000;
/** Credentials that the operator bound to vehicles; each is a row of about 100 bytes. */
export const BINDINGS_MAX = 50_000;
/** Adapters that speak of one connector: as many as a configuration may name, and those of an embedding program. */
export const SOURCES_PER_CONNECTOR_MAX = 20;
/** Vehicles that gave a wrong code of late; the one that did so longest ago is forgotten first, its guesses count at the connectors. */
export const CODE_TRIERS_MAX = 1_000;
/** Vehicles that claim one connector and are put to the proof together, and proofs in one stay: every try is a guess that may hit. */
export const PRESENCE_CANDIDATES_MAX = 8;
export const PRESENCE_TRIALS_PER_STAY_MAX = 4;
export const PRESENCE_TRIES_PER_STAY_MAX = PRESENCE_CANDIDATES_MAX * PRESENCE_TRIALS_PER_STAY_MAX;
/** Stays of which it is remembered who was bound by a person or a proof: all are written when one changes. */
export const REMEMBERED_STAYS_MAX = 1_000;
/** Wrong codes that are looked at in one stay at one connector, whoever gives them. */
export const WRONG_CODES_PER_STAY_MAX = 100;
/** Vehicles that the operator drains one by one. */
export const DRAINED_VEHICLES_MAX = 1_000;
/** Vehicles remembered beside those connected or holding leases. */
export const IDLE_DONORS_MAX = 1_000;
/** Explanations of one vehicle in one step: each looks at hundreds of donors and at all queues. */
export const EXPLANATIONS_PER_STEP_MAX = 2;
/** Hellos, and questions for all tasks, of one client in one step: each costs as much as the client has tasks. */
export const HEAVY_BODIES_PER_STEP_MAX = 8;
/** A core that says it is faster is taken for this fast, in thousandths of the reference core: what it earns grows with it. */
export const BELIEVED_SPEED_MILLIS_MAX = 10_000;
/** Donors that one instance avoids, since it failed there. */
export const AVOIDED_DONORS_MAX = 16;
/** Donors that an explanation lists, the nearest first, of those that it looks at; who may lend now is looked at first. */
export const EXPLAINED_DONORS_MAX = 100;
export const EXPLAINED_LOOKED_AT_MAX = 500;
/** Instances that an estimate of the start sees side by side on one donor. */
export const INSTANCES_PER_DONOR_ESTIMATED_MAX = 16;
/** Sentences on what would make a task run: that of the wire (proto/limits.ts); a test holds them equal. */
export const WOULD_RUN_SENTENCES_MAX = 16;
/** The last changes of sub-pools that are remembered. */
export const POOL_CHANGES_MAX = 50;
/** Vehicles that one step tells which images to keep: a new plan reaches the others in the steps after. */
export const DEPLOYS_PER_STEP_MAX = 64;
/** A vehicle is told another list of images no more often than this. */
export const DEPLOY_EVERY_MS = 10_000;
/** Stays that are kept to learn from; the oldest are forgotten first. */
export const STAYS_MAX = 20_000;
/** That of the wire (proto/limits.ts), which the core takes no code from; a test holds them equal. */
export const CONSTRAINT_TEXT_BYTES_MAX = 2 * 1024;
/** What one evaluation may cost: without macros each node is evaluated once. */
export const CONSTRAINT_NODES_MAX = 100;
export const CONSTRAINT_DEPTH_MAX = 24;
/**
 * Different needs of requests that have not ended (demand, work, trust, constraint), of one vehicle and in all: a donor with room
 * looks at each of them, for about 2 µs.
 */
export const NEEDS_PER_VEHICLE_MAX = 256;
export const NEEDS_MAX = 4_096;
/** Different constraints among them: each is evaluated for a donor that changed. In all, no more than a donor remembers. */
export const CONSTRAINTS_PER_VEHICLE_MAX = 16;
export const CONSTRAINTS_ASKED_MAX = 256;
/** Constraints that are kept compiled. */
export const CONSTRAINTS_MAX = 1_000;
/** Donors that can run a request and are compared: beyond them, another would hardly be better. */
export const DONORS_COMPARED_MAX = 32;
/** Of what one step has planned, and of those who arrived in it and found no place: how much is planned again together. */
export const REPLANNED_PLACED_MAX = 32;
export const REPLANNED_WAITING_MAX = 32;
export const REPLANNED_DONORS_MAX = 48;
/** Donors with room that a placement could be moved to, for each need. */
export const REPLAN_DONORS_PER_NEED_MAX = 16;
/** Moves that are tried then. */
export const REPLAN_TRIALS_MAX = 1_000;
/** Requests for parts that start together, tried in one step. */
export const GANGS_TRIED_MAX = 16;
/** Donors that one step looks at, and requests that it looks them through for, to keep one: the next step goes on. */
export const KEEP_DONORS_PER_STEP_MAX = 32;
export const KEEP_CANDIDATES_PER_STEP_MAX = 4;
/** Requests of the latency priority for which one step looks for room, and donors that it looks at for each. */
export const PREEMPTIONS_PER_STEP_MAX = 16;
export const PREEMPTION_DONORS_MAX = 256;
/** Quarters of an hour of which it is remembered how far the clock on the wall was from UTC; six weeks. */
export const LOCAL_OFFSETS_MAX = 4_096;
/** Connectors (and stations) whose own habits the dwell model learns; a further one is taken to be as all are. */
export const DWELL_STRATA_MAX = 2_000;
/** Values of stated durations that are counted, to find a form's default among them. */
export const DWELL_STATED_DURATIONS_MAX = 1_024;
/** Verdicts of requesters' constraints that one donor remembers. */
export const DONOR_VERDICTS_MAX = 256;
/** New verdicts that one owner's constraint gives at once, and how often: the dearest take about 4 ms of each 100. */
export const OWNER_VERDICTS_AT_ONCE_MAX = 128;
export const OWNER_VERDICTS_EVERY_MS = 100;
/** Verdicts of owners' constraints that one task remembers, and of each its ways. */
export const OWNER_VERDICTS_MAX = 16;
/** Algorithms whose run-times are learned: as many as the catalogue holds. */
export const RUN_TIMES_MAX = ALGORITHMS_MAX;
/** Donors whose runs of one algorithm are told apart; the one with the fewest of late is forgotten first. */
export const RUN_TIME_DONORS_MAX = 16;
/** Vehicles × classes whose health is known; the one that was heard of longest ago is forgotten first. */
export const HEALTH_RECORDS_MAX = 10_000;
/** Who pays, of whom the use is remembered: above the leases there can be, so that none who holds one is forgotten. */
export const PAYERS_MAX = 40_000;
/** Fencing tokens and epochs that one generation gives; a run that needs more takes the next one. */
export const NUMBERS_PER_GENERATION = 2 ** 24;
/** The last number of the last generation is the largest safe integer: 2²⁹ of them, a start a second for 17 years. */
export const GENERATIONS_MAX = 2 ** 53 / NUMBERS_PER_GENERATION - 1;
/** Replicas of one part: as many as may have to agree (proto/limits.ts); a test holds them equal. */
export const REPLICAS_MAX = 5;
/** Vehicles whose results are known to agree, and algorithms of each; the one heard of longest ago is forgotten first. */
export const TRUST_VEHICLES_MAX = 10_000;
export const TRUST_ALGORITHMS_MAX = 64;
/** Runs in a row, of one algorithm, that ended at a limit where others' word or a known answer would have told of a lie. */
export const INCONCLUSIVE_MAX = 3;
/** Results that are JSON are read whole to be compared; what is larger compares by its bytes. */
export const JSON_COMPARED_BYTES_MAX = 4 * 1024 * 1024;
/** … and by the daemon, in a thread, beyond this: whatever it holds, so much takes a millisecond. */
export const JSON_COMPARED_IN_STEP_BYTES_MAX = 16 * 1024;
/** Known answers of one algorithm that results left, and that the operator gave; and the bytes of one. */
export const KNOWN_ANSWERS_KEPT_MAX = 8;
export const KNOWN_ANSWERS_GIVEN_MAX = 32;
export const KNOWN_ANSWER_BYTES_MAX = 32 * 1024;
/** A donor is asked within this after it was drawn. */
export const CHECK_WITHIN_MS = 60_000;
/** … and so many times again while it has no room. */
export const CHECK_TRIES_MAX = 8;
/** Connectors that are capped at once. */
export const CAPPED_CONNECTORS_MAX = 1_000;
/** No operator means a cap for longer; it is said anew then. */
export const CAP_WANTED_MS_MAX = 7 * 24 * 3_600_000;
/** A cap that a station refuses is asked for again, no more seldom than this. */
export const CAP_RETRY_MS_MAX = 10 * 60_000;
/** Things to be done at one connector, and at all, that wait for what is under way; and how long one may take. */
export const CONTROLS_PER_CONNECTOR_MAX = 8;
export const CONTROLS_MAX = 2_000;
export const CONTROL_WITHIN_MS = 60_000;
/** A reading of a connector's power that is older tells nothing any more: stations send them each minute or so, some each five. */
export const POWER_READING_MS_MAX = 6 * 60_000;
/** Stays that have earned something and have no record yet. */
export const CREDITS_OPEN_MAX = 20_000;
/** A record is made this long after its stay at the latest, whatever is undecided: what is booked later is of a record of its own. */
export const CREDIT_SETTLES_MS_MAX = 15 * 60_000;
/** After a start the firmware names a vehicle again within this, or its stay is over. */
export const CREDIT_UNSEEN_MS_MAX = 3_600_000;
/** Records that wait to be sent; what is beyond that waits on disk. */
export const CREDITS_UNSENT_MAX = 10_000;
export const CREDIT_RETRY_MS_MAX = 6 * 3_600_000;
/** A back office that has not taken a record for so long never will. */
export const CREDIT_GIVEN_UP_MS = 30 * 24 * 3_600_000;
/** Of one document that a meter signed: they have some hundred. */
export const SIGNED_CHARS_MAX = 8_192;
