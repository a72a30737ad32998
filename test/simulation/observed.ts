/** A pile as the laws look at it. */
import type { Settings } from '../../agent/core/settings.ts';
import type { State } from '../../agent/core/state.ts';
import type { Now } from '@plugpool/proto';
import type { SimulatedDisk } from './simulated-disk.ts';

/** Right after a step whose changes are on disk. */
export interface Observed {
  readonly state: State;
  readonly settings: Settings;
  readonly disk: SimulatedDisk;
  /** By the pile's monotonic clock. */
  readonly nowMs: number;
  now(): Now;
  /** The longest that a fencing token can have been held until now, by any clock; -Infinity of one that was never granted. */
  heldMs(fencingToken: number): number;
  /** Of the fastest core of any donor, in thousandths of the reference core. */
  readonly speedMillisMax: number;
  /** Instances that were pre-empted; kept here. */
  readonly preempted: Set<string>;
  /** Everything that was sent. */
  readonly sent: { readonly length: number };
}
