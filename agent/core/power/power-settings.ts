/** What the operator lets the agent do with the power of the connectors: by default nothing. */

export interface PowerSettings {
  /** Whether connectors may be capped at all. */
  readonly caps: boolean;
  /** The station forgets a cap after this long, unless it is renewed: half of it is how often that is done. */
  readonly capForMs: number;
  /** A lower cap would end the charging: 6 A are the least that IEC 61851-1 knows. */
  readonly capMinMw: number;
  /** What all connectors and the computing at them may draw together; absent: nobody said. */
  readonly stationLimitMw?: number;
  /** What one connector can draw at most: assumed where its firmware does not say what it draws; absent: nobody knows. */
  readonly connectorMaxMw?: number;
}

export const DEFAULT_POWER: PowerSettings = {
  caps: false,
  capForMs: 120_000,
  // 6 A at 230 V on each of three phases.
  capMinMw: 4_140_000,
};
