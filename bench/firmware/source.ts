/** A pile's firmware as a bench plays it: vehicles at as many connectors as asked for, that charge and then leave one by one. */

export interface BenchFirmware {
  readonly name: string;
  /** Of the agent: the `firmware` list of its configuration. */
  readonly config: readonly object[];
  /** What the vehicle at a connector (from 0 on) shows, as the operator binds it. */
  bindingOf(index: number): { readonly kind: string; readonly value: string };
  /** Every vehicle is plugged in, shows what it is known by, and charges. */
  chargeAll(): void;
  /** Says that the vehicle was unplugged; returns when the message has left. */
  unplug(index: number): void;
  /** Breaks the link for all connectors. */
  cutLink(): Promise<void>;
  /** How long after the link is cut, or its other end falls silent, that must be noticed. */
  readonly linkTimeoutMs: number;
  /** The other end of the link of one connector falls silent, and stays connected. */
  fallSilent(index: number): void;
  stop(): Promise<void>;
}

/** Undefined with a reason where this machine cannot play it. */
export type OpenBenchFirmware = (
  connectors: number,
) => Promise<{ readonly firmware: BenchFirmware } | { readonly why: string }>;
