/** What a sample changes of a session: what was believed of it counts, what was doubted is remembered until a better one comes. */
import type { DoubtedReading, FirmwareEvent } from '@plugpool/firmware-bridge';
import type { Now } from '@plugpool/proto';
import { broken, withReading, type Meter } from './meter.ts';
import type { Session } from './session.ts';
import { withSigned } from './signed-readings.ts';
import { isLive, type FirmwareSource } from './sources.ts';

type MeterEvent = Extract<FirmwareEvent, { kind: 'meter' }>;
type EvInfoEvent = Extract<FirmwareEvent, { kind: 'evInfo' }>;

/** By field, the last reading that was not believed, where none that was has come since. */
export type Doubts = Readonly<Partial<Record<DoubtedReading['field'], DoubtedReading>>>;

export function metered(session: Session, event: MeterEvent, source: FirmwareSource, now: Now): Session {
  const { powerMw, energyMwh } = event;
  const measured = powerMw === undefined ? session : { ...session, powerMw, powerMonoMs: now.monoMs };
  const after = withDoubts(signedBy(measured, event), event, ['powerMw', 'energyMwh']);
  if (!ownsMeter(session, source, now)) return after;
  const meter = meterAfter(session.meter, event, source, now);
  const { metered: taken, ...rest } = after;
  return {
    ...rest,
    // Across a break nothing is known: the next grant begins anew.
    ...(taken === undefined || meter?.breaks !== session.meter?.breaks ? {} : { metered: taken }),
    ...(energyMwh === undefined ? {} : { energyMwh }),
    ...(meter === undefined ? {} : { meter }),
  };
}

function signedBy(session: Session, { signed }: MeterEvent): Session {
  const readings = signed && withSigned(session.signed, signed.data);
  return readings === undefined ? session : { ...session, signed: readings };
}

/** The first source that tells energy in a stay is the one that counts it; another takes over where that one is not heard. */
function ownsMeter({ meter, sources }: Session, source: FirmwareSource, now: Now): boolean {
  if (meter === undefined || meter.source === source.name) return true;
  return !sources.some((one) => one.name === meter.source && isLive(one, now));
}

function meterAfter(
  meter: Meter | undefined,
  event: MeterEvent,
  source: FirmwareSource,
  now: Now,
): Meter | undefined {
  const { energyMwh } = event;
  const looked = isEnergyDoubted(event) && meter !== undefined ? broken(meter) : meter;
  if (energyMwh === undefined) return looked;
  return withReading(looked, { registerMwh: energyMwh, source: source.name }, now);
}

export function isEnergyDoubted(event: FirmwareEvent): boolean {
  return event.kind === 'meter' && event.doubted?.some(({ field }) => field === 'energyMwh') === true;
}

export function informed(session: Session, event: EvInfoEvent, now: Now): Session {
  const { socPermille, estimatedFullInMs, departureInMs } = event;
  const after = {
    ...session,
    ...(socPermille === undefined ? {} : { socPermille }),
    ...(estimatedFullInMs === undefined
      ? {}
      : {
          estimatedFullMonoMs: now.monoMs + estimatedFullInMs,
          estimated: { monoMs: now.monoMs, powerMw: session.powerMw },
        }),
    ...(departureInMs === undefined ? {} : { departureMonoMs: now.monoMs + departureInMs }),
  };
  return withDoubts(after, event, ['socPermille', 'estimatedFullInMs', 'departureInMs']);
}

function withDoubts<Event extends MeterEvent | EvInfoEvent>(
  session: Session,
  event: Event,
  fields: readonly (DoubtedReading['field'] & keyof Event)[],
): Session {
  if (session.doubted === undefined && event.doubted === undefined) return session;
  const doubts: Partial<Record<DoubtedReading['field'], DoubtedReading>> = { ...session.doubted };
  for (const field of fields) if (event[field] !== undefined) delete doubts[field];
  for (const doubt of event.doubted ?? []) doubts[doubt.field] = doubt;
  const { doubted: _before, ...rest } = session;
  return Object.keys(doubts).length === 0 ? rest : { ...rest, doubted: doubts };
}
