/** EVerest's recordings tell their stories: three real cars, the made-up stay, and the same stay with the link cut. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { RECORDINGS, RecordingError, type FirmwareEvent } from '../../firmware-bridge/index.ts';
import { sharedData } from '../shared-data.ts';
import {
  firmwareStories,
  readAll,
  RECORDING_OPTIONS,
  STAY_ENERGY_WH,
  STAY_SOC_PCT,
  theStay,
} from './firmware-stories.ts';

const read = RECORDINGS.everest;
const made = (name: string): string => join(import.meta.dirname, 'recordings', name);

firmwareStories('everest', read, [
  { name: 'the made-up stay', file: made('stay.everest.jsonl'), stories: theStay({ soc: true }) },
  {
    name: 'the made-up stay with the link cut',
    file: made('stay-link-lost.everest.jsonl'),
    stories: {
      'pile/1/1': {
        story: [
          'plugged',
          'credential idToken',
          'transactionStarted T1',
          'chargingStarted',
          'linkLost',
          'linkUp',
          'plugged',
          // EVerest says the same session as before, so the same vehicle showed it.
          'credential idToken',
          'transactionStarted T1',
          'chargingStarted',
          'suspended EV',
          'chargingStarted',
          'chargingStopped',
          'transactionEnded T1',
          'unplugged',
        ],
        energyWh: STAY_ENERGY_WH,
        socPct: STAY_SOC_PCT,
      },
    },
  },
  {
    name: 'BMW iX, DC by DIN 70121: stopped locally, no energy reported',
    file: sharedData('firmware/everest-bmw-ix-din70121-dc.csv'),
    stories: {
      'pile/1/1': {
        story: [
          'plugged',
          'transactionStarted T1',
          'chargingStarted',
          'chargingStopped',
          'transactionEnded T1',
          'unplugged',
        ],
        energyWh: 0,
      },
    },
  },
  {
    name: 'VW id.4, DC by ISO 15118-2: stopped locally, 76 % throughout',
    file: sharedData('firmware/everest-vw-id4-iso15118-2-dc.csv'),
    stories: {
      'pile/1/1': {
        story: [
          'plugged',
          'transactionStarted T1',
          'chargingStarted',
          'chargingStopped',
          'transactionEnded T1',
          'unplugged',
        ],
        energyWh: 0,
        socPct: 76,
      },
    },
  },
  {
    name: 'Porsche Taycan, AC by ISO 15118-2: the car pauses and is unplugged, 0.138 kWh',
    file: sharedData('firmware/everest-porsche-taycan-4s-iso15118-2-ac.csv'),
    stories: {
      'pile/1/1': {
        story: [
          'plugged',
          'transactionStarted T1',
          'chargingStarted',
          'suspended EV',
          'suspended EVSE',
          'chargingStopped',
          'transactionEnded T1',
          'unplugged',
        ],
        energyWh: 138,
      },
    },
  },
]);

/** When each car of the recordings did what, by hand from their README; UTC. */
const TIMES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'everest-bmw-ix-din70121-dc.csv': {
    plugged: '2024-02-27T13:26:06',
    transactionStarted: '2024-02-27T13:26:07',
    chargingStarted: '2024-02-27T13:26:19',
    chargingStopped: '2024-02-27T13:26:58',
    unplugged: '2024-02-27T13:27:06',
  },
  'everest-vw-id4-iso15118-2-dc.csv': {
    plugged: '2023-04-14T09:56:00',
    transactionStarted: '2023-04-14T09:56:02',
    chargingStarted: '2023-04-14T09:56:20',
    chargingStopped: '2023-04-14T09:56:30',
    unplugged: '2023-04-14T09:56:36',
  },
  'everest-porsche-taycan-4s-iso15118-2-ac.csv': {
    plugged: '2023-04-11T09:44:27',
    transactionStarted: '2023-04-11T09:44:28',
    chargingStarted: '2023-04-11T09:44:46',
    suspended: '2023-04-11T09:45:41',
    unplugged: '2023-04-11T09:45:43',
  },
};

for (const [name, times] of Object.entries(TIMES)) {
  const file = sharedData(`firmware/${name}`);
  test(
    `${name} tells when it happened`,
    { skip: file === undefined && 'this machine does not have it' },
    async () => {
      const events = await readAll(read, file ?? '');
      for (const [kind, time] of Object.entries(times)) {
        const first = events.find((event) => event.kind === kind);
        assert.equal(new Date(first?.at.receivedWallMs ?? 0).toISOString().slice(0, 19), time, kind);
      }
    },
  );
}

test('the signed record of the meter is passed on as it was', async () => {
  const events = await readAll(read, made('stay.everest.jsonl'));
  const signed = events.flatMap((event) => (event.kind === 'meter' ? (event.signed ?? []) : []));
  assert.equal(signed.length, 1);
  assert.match(signed[0]?.data ?? '', /^OCMF\|\{"FV":"1\.0".*\|\{"SA":.*\}$/);
});

function fileOf(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-everest-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'recording'), text);
  return join(folder, 'recording');
}

async function tell(file: string) {
  const told: FirmwareEvent[] = [];
  try {
    for await (const event of read(file, RECORDING_OPTIONS)) told.push(event);
  } catch (error) {
    return { told, error };
  }
  return { told, error: undefined };
}

const PLUGGED = '"2026-03-01T08:00:00.000Z","EVSE","Session Started: EVConnected",""\n';
const OF_LINES = '"2026-03-01T08:00:01Z","CAR","x","{\n"a": ["EVSE",\n"b"]}"';
const MESSAGE = readFileSync(made('stay.everest.jsonl'), 'utf8').split('\n').slice(0, 6).join('\n');

const BROKEN: readonly (readonly [what: string, text: string, line: number, told: number])[] = [
  ['a file that is neither form', 'time,event\n', 1, 0],
  ['a record that is cut', `${PLUGGED}"2026-03-01T08:00:01.000Z","EVSE\n`, 2, 1],
  ['a record of nobody', `${PLUGGED}"2026-03-01T08:00:01.000Z","US","x",""\n`, 2, 1],
  ['a record of no day', `${PLUGGED}"2026-13-77T08:00:01.000Z","EVSE","x",""\n`, 2, 1],
  ['a record whose time is cut', `${PLUGGED}"2026-0T1","EVSE","Session Finished",""\n${PLUGGED}`, 2, 1],
  ['a record without the first quote', `${PLUGGED}2026-03-01T08:00:01Z","CAR","x",""\n`, 2, 1],
  ['garbage after a record', `${PLUGGED}\ngarbage\n${PLUGGED}`, 3, 1],
  ['garbage after a payload of lines', `${PLUGGED}${OF_LINES}\ngarbage\n${PLUGGED}`, 5, 1],
  [
    'a record that never ends',
    `${PLUGGED}"2026-03-01T08:00:01.000Z","EVSE","x","{\n` + `${'x'.repeat(64 * 1024)}\n`.repeat(5),
    6,
    1,
  ],
  ['a message that is no JSON', `${MESSAGE}\n{"at":\n`, 7, 1],
  ['a message without a topic', `${MESSAGE}\n{"at":"2026-03-01T08:00:00Z","payload":1}\n`, 7, 1],
  ['a message without a time', `${MESSAGE}\n{"at":"noon","topic":"x","payload":1}\n`, 7, 1],
  ['a line of a megabyte', `${MESSAGE}\n{"at":"${'x'.repeat(1024 * 1024)}\n`, 7, 1],
];

for (const [what, text, line, toldMin] of BROKEN) {
  test(`of ${what} the line is named, after what came before it was told`, async (t) => {
    const { told, error } = await tell(fileOf(t, text));
    assert.ok(error instanceof RecordingError, String(error));
    assert.equal(error.line, line);
    assert.ok(error.hint.length > 10);
    assert.ok(told.length >= toldMin, `${told.length} told`);
  });
}

test('an empty file tells nothing', async (t) => {
  assert.deepEqual(await tell(fileOf(t, '')), { told: [], error: undefined });
});
