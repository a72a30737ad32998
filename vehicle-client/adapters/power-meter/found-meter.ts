/** What one way of metering found on this machine. */
import type { PowerSource } from '../../ports.ts';
import type { EnergySum } from './energy-counters.ts';

export type FoundMeter =
  | { readonly found: 'meter'; readonly source: PowerSource; readonly energy: EnergySum }
  /** It is there, and whoever runs this may not read it. */
  | { readonly found: 'forbidden'; readonly path: string }
  | { readonly found: 'nothing' };
