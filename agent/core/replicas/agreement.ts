/** Which of the results of a part agree with which, by what their algorithm states of its outputs. */
import type { Payload } from '@plugpool/proto';
import { JSON_COMPARED_IN_STEP_BYTES_MAX } from '../limits.ts';
import type { Comparison, PartResultRecord } from '../records.ts';
import type { Instance, State } from '../state.ts';
import type { Turn } from '../turn.ts';
import { compareInline } from './compare.ts';
import { ownerOf } from './owner.ts';
import { firstOf, replicasOf } from './replicas-of.ts';

/** A replica whose result is there. */
export interface Returned {
  readonly instance: Instance;
  readonly result: PartResultRecord;
}

/** The results of a part, and how many owners stand behind the one that most agree with. */
export interface Verdict {
  readonly results: readonly Returned[];
  /** The first of those that most agree with, and they; none where there is no result. */
  readonly best: readonly Returned[];
  /** Owners behind `best`. */
  readonly agreeing: number;
  /** Two of the results differ. */
  readonly isDisputed: boolean;
  /** As many agree on something else. */
  readonly isTied: boolean;
}

/** Undefined while bytes on the disk are being compared: their answer comes as an event. */
export function verdictOn(turn: Turn, first: Instance): Verdict | undefined {
  const results = replicasOf(first).flatMap((instance) => {
    const { result } = instance;
    return result === undefined ? [] : [{ instance, result }];
  });
  const rows = agreements(turn, results);
  if (rows.some((row) => row.includes('unknown'))) return undefined;
  const groups = rows.map((row, i) => {
    // What agrees with the group's own, itself first.
    const members = results.filter((_, j) => row[j] === 'same');
    const own = results[i];
    return own === undefined ? members : [own, ...members.filter((each) => each !== own)];
  });
  const sizes = groups.map((group) => ownersOf(turn.state, group));
  const agreeing = Math.max(0, ...sizes);
  const best = groups[sizes.indexOf(agreeing)] ?? [];
  const isTied = groups.some(
    (group, i) => sizes[i] === agreeing && group.every((each) => !best.includes(each)),
  );
  return { results, best, agreeing, isTied, isDisputed: rows.some((row) => row.includes('different')) };
}

/** Whether each agrees with each; both ways it is the same. */
function agreements(turn: Turn, results: readonly Returned[]): Agreement[][] {
  const rows: Agreement[][] = [];
  for (const [i, one] of results.entries())
    rows.push(results.map((other, j) => (j < i ? (rows[j]?.[i] ?? 'unknown') : agree(turn, one, other))));
  return rows;
}

function ownersOf({ settings }: State, group: readonly Returned[]): number {
  return new Set(group.map(({ result }) => ownerOf(settings, result.donor))).size;
}

type Agreement = 'same' | 'different' | 'unknown';

function agree(turn: Turn, a: Returned, b: Returned): Agreement {
  if (a === b) return 'same';
  const [failure, other] = [a.result.run?.failure, b.result.run?.failure];
  // What a program says of its failure may name where it ran; that it fails in this way is the result.
  if (failure !== undefined || other !== undefined)
    return failure?.code === other?.code ? 'same' : 'different';
  const { program = '' } = firstOf(a.instance);
  const compare = turn.state.algorithms.get(program)?.compare ?? { by: 'bytes' };
  return agreePayloads(turn, a, b, compare);
}

function agreePayloads(turn: Turn, a: Returned, b: Returned, compare: Comparison): Agreement {
  const [left, right] = [a.result.output, b.result.output];
  const isJson = compare.by === 'numbers' && compare.format === 'json';
  const isLong = isJson && Math.max(sizeOf(left), sizeOf(right)) > JSON_COMPARED_IN_STEP_BYTES_MAX;
  if (left.where === 'inline' && right.where === 'inline' && !isLong)
    return compareInline(left.bytes, right.bytes, compare) ? 'same' : 'different';
  if (left.where === 'blob' && right.where === 'blob' && left.blob.digest === right.blob.digest)
    return 'same';
  if (!isJson && sizeOf(left) !== sizeOf(right)) return 'different';
  if (compare.by === 'bytes' && left.where === right.where) return 'different';
  return askDaemon(turn, a.instance, b.instance, [left, right], compare);
}

function sizeOf(payload: Payload): number {
  return payload.where === 'inline' ? payload.bytes.length : payload.blob.sizeBytes;
}

function askDaemon(
  turn: Turn,
  a: Instance,
  b: Instance,
  payloads: readonly [Payload, Payload],
  compare: Comparison,
): Agreement {
  const [one, other] = a.instanceId < b.instanceId ? [a, b] : [b, a];
  const pair = { one: one.instanceId, other: other.instanceId };
  const known = turn.state.comparisons.get(pairName(pair));
  if (known === 'same' || known === 'different') return known;
  if (known === undefined) {
    turn.state.comparisons.set(pairName(pair), 'asked');
    turn.effects.compares.push({ pair, payloads, compare });
  }
  return 'unknown';
}

export function pairName({ one, other }: { readonly one: string; readonly other: string }): string {
  return `${one}/${other}`;
}

/** Its part is decided. */
export function forgetComparisons(state: State, first: Instance): void {
  if (state.comparisons.size === 0) return;
  const ids = replicasOf(first).map(({ instanceId }) => instanceId);
  for (const one of ids) for (const other of ids) state.comparisons.delete(pairName({ one, other }));
}
