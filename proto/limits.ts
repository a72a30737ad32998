/** Every bound of the wire, in one place; a peer that exceeds one is refused with a reason. */

/** A payload above this travels by digest in chunks. */
export const INLINE_BYTES_MAX = 64 * 1024;
/** One MQTT message after CONNECT. */
export const MESSAGE_BYTES_MAX = 256 * 1024;
/** One frame that is sent; the rest of its message is MQTT's own: header, topic, packet identifier. */
export const FRAME_BYTES_MAX = MESSAGE_BYTES_MAX - 256;
/** One MQTT packet before the client is known. */
export const CONNECT_BYTES_MAX = 4 * 1024;
export const BLOB_BYTES_MAX = 64 * 1024 * 1024;
/** What a run keeps of its state; larger is not kept. */
export const CHECKPOINT_BYTES_MAX = 16 * 1024 * 1024;
export const CHUNK_BYTES_MAX = 64 * 1024;
/** Chunks asked for and not yet received, a blob. */
export const CHUNK_WINDOW = 8;
export const BODIES_PER_FRAME_MAX = 256;
export const ARGS_MAX = 64;
export const ARG_BYTES_MAX = 4 * 1024;
/** Of all arguments together, so that the offer of any request that fits one message fits one message. */
export const ARGS_BYTES_MAX = 64 * 1024;
export const GPUS_MAX = 16;
export const HELD_LEASES_MAX = 1024;
export const CACHED_IMAGES_MAX = 256;
export const ALLOWED_ALGORITHMS_MAX = 256;
/** Parallel instances of one request. */
export const INSTANCES_MAX = 16;
/** Images that a donor is told to keep. */
export const DEPLOYED_IMAGES_MAX = 64;
/** Makes of vehicle that a request names. */
export const TRUSTED_MAKES_MAX = 32;
export const CONSTRAINT_BYTES_MAX = 2 * 1024;
/** Sentences on what would make a waiting task run. */
export const WOULD_RUN_MAX = 16;
/** Tests that donors fail, in one explanation. */
export const OBSTACLES_MAX = 64;
/** Either way from the equator and from Greenwich, in degrees × 10⁷. */
export const LATITUDE_E7_MAX = 900_000_000;
export const LONGITUDE_E7_MAX = 1_800_000_000;
/** Vehicles of different owners that must agree on a result. */
export const QUORUM_MAX = 5;
/** Units of one account in an earnings report. */
export const EARNINGS_SUMS_MAX = 32;
/** 1 MWh: no run draws more. */
export const ENERGY_MWH_MAX = 1_000_000_000;
export const STATUS_TASKS_MAX = 200;
export const REASONS_MAX = 64;
/** Names, reasons and other texts for a person. */
export const TEXT_BYTES_MAX = 1024;
export const STDERR_TAIL_BYTES_MAX = 4 * 1024;
export const ID_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;
/** Algorithm ids and types. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;
/** Zones, payers, fleets and makes of vehicles, as operators call them. */
export const LABEL_PATTERN = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/;
/** A connector as a person writes it, or its whole id: up to three names of 48 characters. */
export const CONNECTOR_PATTERN = /^[A-Za-z0-9*_=:+|@.-]{1,48}(\/[A-Za-z0-9*_=:+|@.-]{1,48}){0,2}$/;
/** What a pile shows on its display for one stay. */
export const PLUG_CODE_PATTERN = /^[0-9]{6}$/;
/** 10 MW: no plug gives more. */
export const POWER_MW_MAX = 10_000_000_000;
export const SLOT_PATTERN = /^(lend|ask-[A-Za-z0-9]{1,16})$/;
/** Nothing a vehicle has is larger: above, a number is absurd and its message refused. */
export const CPU_MILLICORES_MAX = 1_024_000;
export const MEMORY_MIB_MAX = 16 * 1024 * 1024;
/** 30 days. */
export const DURATION_MS_MAX = 30 * 24 * 3600 * 1000;
/** Versions of algorithms and of clients. */
export const VERSION_PATTERN = /^[0-9A-Za-z][0-9A-Za-z.+_-]{0,31}$/;
/** Codes that are not from a list that this version of the protocol closes. */
export const CODE_PATTERN = /^[a-z][a-z0-9_]{0,63}$/;
export const CORES_MAX = CPU_MILLICORES_MAX / 1000;
export const CLOCK_MHZ_MAX = 100_000;
/** A core a thousand times as fast as the reference core. */
export const SPEED_MILLIS_MAX = 1_000_000;
/** CPU time of a whole process tree: every core of the largest machine for the longest duration. */
export const CPU_TIME_MS_MAX = DURATION_MS_MAX * CORES_MAX;
/** Permille of progress and of charge, thousandths of a GPU. */
export const PERMILLE_MAX = 1000;
export const SEED_BYTES = 16;
export const DIGEST_BYTES = 32;
