/** Single values, both ways: wire values to ids, numbers, texts and enums of the domain, refusing what they are not, and back. */
import { digestFromBytes, digestToBytes } from '../digest.ts';
import type { Digest, FailureCode, RefusalCode, RevokeReason, RuntimeKind, TaskState } from '../domain.ts';
import {
  ARGS_BYTES_MAX,
  CODE_PATTERN,
  ID_PATTERN,
  LABEL_PATTERN,
  NAME_PATTERN,
  TEXT_BYTES_MAX,
  VERSION_PATTERN,
} from '../limits.ts';
import { BodyRefused } from './refusal.ts';

type Absent = null | undefined;
/** What the generated code gives for a 64-bit field. */
type WireInteger = number | { toNumber(): number } | Absent;

// ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The wire check has seen to it that the number is safe. */
export function readInteger(value: WireInteger): number {
  if (typeof value === 'number') return value;
  return value === null || value === undefined ? 0 : value.toNumber();
}

/** A message that must be there. */
export function readRequired<T>(value: T | Absent, field: string): T {
  if (value === null || value === undefined) throw new BodyRefused(`${field}: missing`);
  return value;
}

function readMatching(value: string | Absent, pattern: RegExp, what: string, field: string): string {
  const text = value ?? '';
  if (!pattern.test(text)) throw new BodyRefused(`${field}: ${text === '' ? 'missing' : `not ${what}`}`);
  return text;
}

export function readId<Id extends string>(value: string | Absent, field: string): Id {
  return readMatching(value, ID_PATTERN, 'an id', field) as Id;
}

export function readName(value: string | Absent, field: string): string {
  return readMatching(value, NAME_PATTERN, 'the name of an algorithm or a type', field);
}

/** Of a zone, a payer, a fleet or a make. */
export function readLabel(value: string | Absent, field: string): string {
  return readMatching(value, LABEL_PATTERN, 'a name of letters, digits, spaces, dots, _ and -', field);
}

export function readVersion(value: string | Absent, field: string): string {
  return readMatching(value, VERSION_PATTERN, 'a version', field);
}

export function readCode(value: string | Absent, field: string): string {
  return readMatching(value, CODE_PATTERN, 'a code', field);
}

/** One of the codes of a list that this version of the protocol closes. */
export function readListed<Code extends string>(
  value: string | Absent,
  list: ReadonlySet<string>,
  field: string,
): Code {
  const text = value ?? '';
  if (!list.has(text)) throw new BodyRefused(`${field}: not in its list of codes`);
  return text as Code;
}

/** Absent and empty are the same on the wire. */
export function isGiven(value: string | Absent): value is string {
  return value !== '' && value !== null && value !== undefined;
}

/** Of an `optional` field, where absent and zero differ. */
export function isPresent<T>(value: T | Absent): value is T {
  return value !== null && value !== undefined;
}

export function readDigest(value: Uint8Array | Absent, field: string): Digest {
  const digest = digestFromBytes(readRequired(value, field));
  if (digest === undefined) throw new BodyRefused(`${field}: not 32 bytes`);
  return digest;
}

/**
 * A copy that owns its memory. What arrives is a view into the socket's buffer of 64 KiB and more, and would keep all of it
 * alive for as long as a few bytes of input wait in a queue.
 */
export function readBytes(value: Uint8Array | Absent): Uint8Array {
  return new Uint8Array(value ?? []);
}

/** A program's arguments end at a NUL: one inside would cut them there. */
export function readArgs(values: readonly string[] | Absent, field: string): readonly string[] {
  const args = values ?? [];
  let bytes = 0;
  for (const arg of args) {
    if (arg.includes('\0')) throw new BodyRefused(`${field}: an argument holds a NUL`);
    bytes += Buffer.byteLength(arg);
  }
  if (bytes > ARGS_BYTES_MAX) throw new BodyRefused(`${field}: above ${ARGS_BYTES_MAX} bytes in all`);
  return args;
}

const RUNTIME_NUMBERS: Readonly<Record<RuntimeKind, number>> = { wasm: 1, onnx: 2, echo: 3 };
const TASK_STATE_NUMBERS: Readonly<Record<TaskState, number>> = {
  queued: 1,
  running: 2,
  completed: 3,
  failed: 4,
  expired: 5,
  cancelled: 6,
  dead: 7,
};
const RUNTIMES = byNumber(RUNTIME_NUMBERS);
const TASK_STATES = byNumber(TASK_STATE_NUMBERS);

function byNumber<Name extends string>(
  numbers: Readonly<Record<Name, number>>,
): readonly (Name | undefined)[] {
  const names: (Name | undefined)[] = [undefined];
  for (const [name, number] of Object.entries(numbers)) names[number as number] = name as Name;
  return names;
}

export function readRuntime(value: number | Absent, field: string): RuntimeKind {
  return readEnum(RUNTIMES, value, field);
}

export function readTaskState(value: number | Absent, field: string): TaskState {
  return readEnum(TASK_STATES, value, field);
}

function readEnum<Name>(names: readonly (Name | undefined)[], value: number | Absent, field: string): Name {
  const name = names[value ?? 0];
  if (name === undefined) throw new BodyRefused(`${field}: missing or unknown`);
  return name;
}

export const FAILURE_CODES = listOf<FailureCode>({
  exit_nonzero: true,
  trap: true,
  cpu_time_limit: true,
  wall_time_limit: true,
  memory_limit: true,
  output_limit: true,
  import_forbidden: true,
  image_invalid: true,
  input_invalid: true,
  image_unavailable: true,
  input_unavailable: true,
  checkpoint_invalid: true,
  sandbox_unavailable: true,
  runtime_crashed: true,
  revoked: true,
});

export const REFUSAL_CODES = listOf<RefusalCode>({
  malformed: true,
  version_unsupported: true,
  not_welcomed: true,
  wrong_slot: true,
  algorithm_unknown: true,
  type_unknown: true,
  never_feasible: true,
  zone_not_served: true,
  constraint_invalid: true,
  payer_not_allowed: true,
  fleet_unknown: true,
  over_budget: true,
  deadline_invalid: true,
  input_too_large: true,
  input_unavailable: true,
  digest_mismatch: true,
  request_id_reused: true,
  task_unknown: true,
  lease_void: true,
  too_many_tasks: true,
  rate_limited: true,
  connector_unknown: true,
  connector_taken: true,
  not_plugged: true,
  code_wrong: true,
  bound_elsewhere: true,
  storage_unavailable: true,
  storage_full: true,
  not_supported: true,
  shutting_down: true,
});

export const REVOKE_REASONS = listOf<RevokeReason>({
  unplugged: true,
  session_not_lending: true,
  session_unverified: true,
  capacity_fell: true,
  cancelled: true,
  deadline_passed: true,
  policy_paused: true,
  preempted: true,
  draining: true,
  ready_by: true,
  station_power: true,
  lease_expired: true,
  superseded: true,
  shutting_down: true,
});

/** The compiler holds the list to the domain's union: one missing or one too many does not compile. */
function listOf<Code extends string>(codes: Readonly<Record<Code, true>>): ReadonlySet<string> {
  return new Set(Object.keys(codes));
}

// ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The generated code would wrap a negative number and cut a fraction; both are faults of ours. */
export function writeInteger(value: number, field: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${field}: ${value} cannot be sent, only a safe integer of 0 or more`);
  }
  return value;
}

export function writeUint32(value: number, field: string): number {
  if (value > 0xff_ff_ff_ff) throw new RangeError(`${field}: ${value} cannot be sent, it is above 32 bits`);
  return writeInteger(value, field);
}

/** The generated code would wrap what does not fit, and cut a fraction; both are faults of ours. */
export function writeSigned(value: number, magnitudeMax: number, field: string): number {
  if (!Number.isSafeInteger(value) || Math.abs(value) > magnitudeMax)
    throw new RangeError(`${field}: ${value} cannot be sent, only an integer within ±${magnitudeMax}`);
  return value;
}

export const writeDigest = digestToBytes;

export function writeRuntime(runtime: RuntimeKind): number {
  return RUNTIME_NUMBERS[runtime];
}

export function writeTaskState(state: TaskState): number {
  return TASK_STATE_NUMBERS[state];
}

/** Text for a person: cut at its bound rather than refused by whom it is sent to, and with every lone surrogate replaced. */
export function writeText(text: string): string {
  if (text.length * 3 <= TEXT_BYTES_MAX) return text.toWellFormed();
  const bytes = Buffer.from(text);
  if (bytes.length <= TEXT_BYTES_MAX) return text.toWellFormed();
  let end = TEXT_BYTES_MAX;
  while (end > 0 && isContinuation(bytes[end])) end -= 1;
  return bytes.toString('utf8', 0, end);
}

/** Text of which the end matters: its last `bytesMax` bytes. */
export function writeTail(text: string, bytesMax: number): string {
  const bytes = Buffer.from(text);
  let start = Math.max(0, bytes.length - bytesMax);
  while (start > 0 && isContinuation(bytes[start])) start += 1;
  return bytes.toString('utf8', start);
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
