/**
 * The same story in, the same events out: what a recording tells, brought to a few lines that a person checks, and the made-up
 * stay that every adapter's own form of recording tells alike.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkFirmwareEvent,
  createPseudonymizer,
  type FirmwareEvent,
  type FirmwareEventKind,
  type ReadRecording,
} from '../../firmware-bridge/index.ts';
import { FirmwareOrder } from './firmware-order.ts';

/** What one connector's events come to. */
export interface ToldStory {
  /** Every event but samples (`meter`, `evInfo`), a line each; transactions are `T1`, `T2` … in the order of their start. */
  readonly story: readonly string[];
  /** The last energy reading that was told, in whole Wh. */
  readonly energyWh?: number;
  /** The last state of charge that was told. */
  readonly socPct?: number;
  /** Transactions that were started and never ended. */
  readonly leftOpen?: readonly string[];
}

/** By connector id. */
export type ToldStories = Readonly<Record<string, ToldStory>>;

export interface RecordingToTell {
  /** Its name in the test. */
  readonly name: string;
  /** Absent: this machine does not have it, and the test is skipped. */
  readonly file: string | undefined;
  readonly stories: ToldStories;
}

/** The salt of every test's recordings; pseudonyms are of no importance to a story. */
export const RECORDING_OPTIONS = {
  station: 'pile',
  pseudonymize: createPseudonymizer(new Uint8Array(32).fill(7)),
};

/** A table in the tests: each recording tells exactly this story, in an order and a form that the port allows. */
export function firmwareStories(
  name: string,
  read: ReadRecording,
  recordings: readonly RecordingToTell[],
): void {
  describe(`recordings of ${name}`, () => {
    for (const { name: what, file, stories } of recordings) {
      it(
        `${what} tells its story`,
        { skip: file === undefined && 'this machine does not have it' },
        async () => {
          assert.deepEqual(storiesOf(await readAll(read, file ?? '')), stories);
        },
      );
    }
  });
}

export async function readAll(read: ReadRecording, file: string): Promise<FirmwareEvent[]> {
  const events: FirmwareEvent[] = [];
  for await (const event of read(file, RECORDING_OPTIONS)) events.push(event);
  return events;
}

/** Throws where an event is malformed or out of its place. */
export function storiesOf(events: readonly FirmwareEvent[]): ToldStories {
  const order = new FirmwareOrder();
  assert.deepEqual(
    events.flatMap((event) => order.see(event)),
    [],
  );
  const connectors = new Set(events.map(({ connectorId }) => connectorId));
  return Object.fromEntries(
    [...connectors].map((id) => [id, storyOf(events.filter(({ connectorId }) => connectorId === id))]),
  );
}

function storyOf(events: readonly FirmwareEvent[]): ToldStory {
  const transactions = new Map<string, string>();
  const open = new Set<string>();
  const nameOf = (id: string): string => {
    if (!transactions.has(id)) transactions.set(id, `T${transactions.size + 1}`);
    return transactions.get(id) ?? '';
  };
  const story: string[] = [];
  let energyWh: number | undefined;
  let socPct: number | undefined;
  for (const said of events) {
    const { event } = checkFirmwareEvent(said);
    if (event === undefined) continue;
    if (event.kind === 'meter') energyWh = wholeWh(event.energyMwh) ?? energyWh;
    else if (event.kind === 'evInfo') socPct = percent(event.socPermille) ?? socPct;
    else story.push(lineOf(event, nameOf));
    if (event.kind === 'transactionStarted') open.add(nameOf(event.transactionId));
    if (event.kind === 'transactionEnded') open.delete(nameOf(event.transactionId));
  }
  return {
    story,
    ...(energyWh === undefined ? {} : { energyWh }),
    ...(socPct === undefined ? {} : { socPct }),
    ...(open.size === 0 ? {} : { leftOpen: [...open] }),
  };
}

function wholeWh(mwh: number | undefined): number | undefined {
  return mwh === undefined ? undefined : Math.round(mwh / 1000);
}

function percent(permille: number | undefined): number | undefined {
  return permille === undefined ? undefined : permille / 10;
}

function lineOf(event: FirmwareEvent, nameOf: (transactionId: string) => string): string {
  switch (event.kind) {
    case 'transactionStarted':
    case 'transactionEnded':
      return `${event.kind} ${nameOf(event.transactionId)}`;
    case 'suspended':
      return `suspended ${event.by}`;
    case 'credential':
      return `credential ${event.credential.kind}`;
    case 'identity':
      return `identity ${event.vehicleId} ${event.assurance}`;
    default:
      return event.kind;
  }
}

/**
 * The made-up stay, told by one small recording of each form (test/conformance/recordings/): at connector `pile/1/1` a vehicle is
 * plugged in, shows a card, charges to 1500 Wh, stops drawing, goes on to 3000 Wh, is stopped, and unplugged. Where the form
 * tells a state of charge, it ends at 55 %.
 */
const STAY: readonly string[] = [
  'plugged',
  'credential idToken',
  'transactionStarted T1',
  'chargingStarted',
  'suspended EV',
  'chargingStarted',
  'chargingStopped',
  'transactionEnded T1',
  'unplugged',
];

/** The same stay, with the link cut between the first charging and the vehicle's pause, and the connector told anew. */
const STAY_LINK_LOST: readonly string[] = [
  'plugged',
  'credential idToken',
  'transactionStarted T1',
  'chargingStarted',
  'linkLost',
  'linkUp',
  'plugged',
  'transactionStarted T1',
  'chargingStarted',
  'suspended EV',
  'chargingStarted',
  'chargingStopped',
  'transactionEnded T1',
  'unplugged',
];

export const STAY_ENERGY_WH = 3000;
export const STAY_SOC_PCT = 55;

export interface FormLimits {
  /** What this form of recording can never tell. */
  readonly cannotTell?: readonly FirmwareEventKind[];
  /** How the form ends where it cannot tell `unplugged`. */
  readonly endsWith?: readonly string[];
  readonly energy?: false;
  readonly soc?: true;
  /** After a lost link it says again who authorised the transaction that is still open. */
  readonly restatesCredential?: true;
}

export function theStay(limits: FormLimits = {}): ToldStories {
  return { 'pile/1/1': within(STAY, limits) };
}

export function theStayWithLinkLost(limits: FormLimits = {}): ToldStories {
  const anew = STAY_LINK_LOST.indexOf('linkUp') + 1;
  const lines =
    limits.restatesCredential === true
      ? STAY_LINK_LOST.toSpliced(anew + 1, 0, 'credential idToken')
      : STAY_LINK_LOST;
  return { 'pile/1/1': within(lines, limits) };
}

function within(lines: readonly string[], limits: FormLimits): ToldStory {
  const cannot = new Set<string>(limits.cannotTell);
  const told = lines.filter((line) => !cannot.has(line.split(' ', 1)[0] ?? ''));
  return {
    story: [...told, ...(limits.endsWith ?? [])],
    ...(limits.energy === false ? {} : { energyWh: STAY_ENERGY_WH }),
    ...(limits.soc === true ? { socPct: STAY_SOC_PCT } : {}),
  };
}
