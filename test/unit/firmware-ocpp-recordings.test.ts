/** Recordings of OCPP become the story that really happened; the expectations were read off the recordings by hand. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { FirmwareEvent } from '../../firmware-bridge/index.ts';
import { readOcpp16Recording, readOcpp201Recording } from '../../firmware-bridge/ocpp/read-recording.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';
import { OCPP_TEST_PSEUDONYMS, shown } from '../ocpp-pile.ts';
import { sharedData } from '../shared-data.ts';

interface Expected {
  readonly file: string;
  /** In order, without the readings. */
  readonly story: string;
  /** Last register that was told, of each stay. */
  readonly energyWh: readonly number[];
  readonly transactions: number;
}

const STAY = 'plugged transactionStarted chargingStarted chargingStopped transactionEnded unplugged';
const CUT = 'unplugged plugged transactionStarted chargingStarted linkLost linkUp unplugged';
const STALL =
  'unplugged plugged transactionStarted chargingStarted linkLost ' +
  'linkUp plugged transactionStarted chargingStarted chargingStopped transactionEnded unplugged';

const RECORDINGS: readonly Expected[] = [
  { file: 'ocpp16-normal', story: `unplugged ${STAY}`, energyWh: [1230], transactions: 1 },
  { file: 'ocpp16-remote-stop', story: `unplugged ${STAY}`, energyWh: [770], transactions: 1 },
  // 1021 is never stopped: it is over when its connector is free.
  { file: 'ocpp16-socket-cut', story: `${CUT} ${STAY}`, energyWh: [300.09, 165], transactions: 2 },
  // The late stop, with the time of the cut, says nothing of a connector that is free again; its 350 Wh belong to nobody here.
  { file: 'ocpp16-socket-cut-late-stop', story: CUT, energyWh: [300.09], transactions: 1 },
  // 900 Wh at the stop; the reading that comes after it, for a transaction that ended, is not told.
  { file: 'ocpp16-link-stall', story: STALL, energyWh: [900], transactions: 1 },
  { file: 'ocpp201-normal', story: `unplugged ${STAY}`, energyWh: [1200.62], transactions: 1 },
  { file: 'ocpp201-remote-stop', story: `unplugged ${STAY}`, energyWh: [770.24], transactions: 1 },
  { file: 'ocpp201-socket-cut', story: `${CUT} ${STAY}`, energyWh: [300.08, 165.17], transactions: 2 },
  { file: 'ocpp201-socket-cut-late-stop', story: CUT, energyWh: [300.07], transactions: 1 },
  { file: 'ocpp201-link-stall', story: STALL, energyWh: [900.16], transactions: 1 },
  // EVDeparted ends it; two readings and a second end of the same transaction follow, and change nothing.
  {
    file: 'ocpp201-updated-after-ended',
    story: 'unplugged plugged transactionStarted chargingStarted transactionEnded unplugged',
    energyWh: [300.08],
    transactions: 1,
  },
];

const READINGS: ReadonlySet<string> = new Set(['meter', 'evInfo', 'credential']);

async function read(file: string): Promise<readonly FirmwareEvent[]> {
  const reader = /ocpp16[^/]*$/.test(file) ? readOcpp16Recording : readOcpp201Recording;
  const events: FirmwareEvent[] = [];
  for await (const event of reader(file, { station: 'pile', pseudonymize: OCPP_TEST_PSEUDONYMS }))
    events.push(event);
  return events;
}

function lastRegistersWh(events: readonly FirmwareEvent[]): readonly number[] {
  const found: number[] = [];
  let lastWh: number | undefined;
  for (const event of events) {
    if (event.kind === 'meter') lastWh = event.energyMwh === undefined ? lastWh : event.energyMwh / 1000;
    if (event.kind !== 'unplugged') continue;
    if (lastWh !== undefined) found.push(lastWh);
    lastWh = undefined;
  }
  return found;
}

describe('recordings of OCPP', () => {
  for (const { file, story, energyWh, transactions } of RECORDINGS) {
    const path = sharedData(`firmware/${file}.jsonl`);
    const skip = path === undefined ? 'the recordings are not on this machine' : false;
    it(`${file} is told as it happened`, { skip }, async () => {
      const events = await read(path ?? '');
      const kinds = events.map(({ kind }) => kind);
      assert.equal(kinds.filter((kind) => !READINGS.has(kind)).join(' '), story);
      assert.deepEqual(lastRegistersWh(events), energyWh);
      const started = events.map((event) => event.kind === 'transactionStarted' && event.transactionId);
      assert.equal(new Set(started.filter((id) => id !== false)).size, transactions);
    });

    it(`${file} keeps the order of the port, and names nobody`, { skip }, async () => {
      const order = new FirmwareOrder();
      const events = await read(path ?? '');
      assert.deepEqual(
        events.flatMap((event) => order.see(event)),
        [],
      );
      // What a meter signed is passed on untouched, whatever it holds.
      const told = events.map((event) => (event.kind === 'meter' ? { ...event, signed: '' } : event));
      assert.doesNotMatch(JSON.stringify(told), /DEMO0001/);
    });
  }

  it('a cut that is noted beside the frames is a lost link', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'plugpool-ocpp-'));
    context.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'ocpp16-made-up.jsonl');
    await writeFile(
      file,
      [
        '{"at":"2026-01-01T10:00:00Z","from":"pile","frame":[2,"1","StatusNotification",{"connectorId":2,"errorCode":"NoError","status":"Preparing"}]}',
        '',
        '{"at":"2026-01-01T10:05:00Z","from":"pile","frame":[2,"2","StatusNotification",{"connectorId":2,"errorCode":"NoError","status":"Charging"}]}',
      ].join('\n'),
    );
    await writeFile(
      file.replace('.jsonl', '.links.jsonl'),
      '{"at":"2026-01-01T09:59:00Z","event":"open"}\n{"at":"2026-01-01T10:01:00Z","event":"cut"}\n' +
        '{"at":"2026-01-01T10:04:00Z","event":"open"}\n{"at":"2026-01-01T10:06:00Z","event":"close"}\n',
    );
    const events = await read(file);
    assert.equal(events.map(shown).join(' '), 'plugged linkLost linkUp plugged chargingStarted linkLost');
    assert.ok(events.every(({ connectorId }) => connectorId === 'pile/2/1'));
  });

  const BAD_LINES: readonly (readonly [why: string, line: string, message: RegExp])[] = [
    ['no JSON', '{"at":', /^line 2: no JSON/],
    ['no object', '[1]', /^line 2: no JSON object/],
    ['no time', '{"at":"yesterday","from":"pile","frame":[]}', /^line 2: "at"/],
    ['no sender', '{"at":"2026-01-01T10:00:01Z","from":"car","frame":[]}', /^line 2: "from"/],
    ['no frame', '{"at":"2026-01-01T10:00:01Z","from":"pile"}', /^line 2: "frame"/],
    [
      'time that runs backwards',
      '{"at":"2025-01-01T10:00:01Z","from":"pile","frame":[]}',
      /^line 2: .*earlier/,
    ],
    ['3 MiB', `"${'x'.repeat(3 * 1024 * 1024)}"`, /^line 2: .*longer/],
  ];
  for (const [why, line, message] of BAD_LINES) {
    it(`a line with ${why} is refused with its number, after what came before it was told`, async (context) => {
      const folder = await mkdtemp(join(tmpdir(), 'plugpool-ocpp-'));
      context.after(() => rm(folder, { recursive: true }));
      const file = join(folder, 'ocpp16-bad.jsonl');
      const good =
        '{"at":"2026-01-01T10:00:00Z","from":"pile","frame":[2,"1","StatusNotification",{"connectorId":1,"status":"Preparing"}]}';
      await writeFile(file, `${good}\n${line}\n`);
      const told: string[] = [];
      await assert.rejects(
        async () => {
          for await (const event of readOcpp16Recording(file, {
            station: 'pile',
            pseudonymize: OCPP_TEST_PSEUDONYMS,
          }))
            told.push(shown(event));
        },
        { code: 'invalid_file', line: 2, message },
      );
      assert.deepEqual(told, ['plugged']);
    });
  }

  it('a line of the links that cannot be read is named with their file, after what came before it was told', async (context) => {
    const folder = await mkdtemp(join(tmpdir(), 'plugpool-ocpp-'));
    context.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'ocpp16-bad.jsonl');
    const status = (at: string, status: string): string =>
      `{"at":"${at}","from":"pile","frame":[2,"1","StatusNotification",{"connectorId":1,"status":"${status}"}]}\n`;
    const frames = [status('2026-01-01T10:00:00Z', 'Preparing'), status('2026-01-01T10:05:00Z', 'Charging')];
    await writeFile(file, frames.join(''));
    await writeFile(
      join(folder, 'ocpp16-bad.links.jsonl'),
      '{"at":"2026-01-01T09:59:00Z","event":"open"}\n{"at":"2026-01-01T10:01:00Z","event":"cut"}\n{"at":\n',
    );
    const told: string[] = [];
    const options = { station: 'pile', pseudonymize: OCPP_TEST_PSEUDONYMS };
    await assert.rejects(
      async () => {
        for await (const event of readOcpp16Recording(file, options)) told.push(shown(event));
      },
      { code: 'invalid_file', line: 3, message: 'ocpp16-bad.links.jsonl, line 3: no JSON' },
    );
    assert.deepEqual(told, ['plugged', 'linkLost']);
  });
});
