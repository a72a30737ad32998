/** The operator's commands on the ledger of a running agent, and on a backup of it: proven, signed, exported, settled. */
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import Database from 'better-sqlite3';
import type { FencingToken, InstanceId, TaskId } from '@plugpool/proto';
import type { Account, BookingRecord, StoreChange, Unit } from '../../agent/core/records.ts';
import { processContext } from '../../vehicle-client/cli/context.ts';
import { main } from '../../vehicle-client/cli/main.ts';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { newDirectory, plugpool, plugpoolJson, startPile, type Pile } from './cli-fixtures.ts';

type Document = Record<string, unknown>;

const MICROS = 'EURe-6' as Unit;

function bookingOf(n: number, micros: number, payer = 'vehicle:asker'): BookingRecord {
  return {
    kind: 'result',
    taskId: `t${n}` as TaskId,
    instanceId: `t${n}_0` as InstanceId,
    fencingToken: n as FencingToken,
    segment: 0,
    wallMs: Date.UTC(2026, 10, n, 12),
    tariff: 'day',
    entries: [
      { account: payer as Account, unit: MICROS, amount: -micros },
      { account: 'vehicle:donor' as Account, unit: MICROS, amount: micros },
    ],
  };
}

/** A running agent with these bookings. */
async function pileWith(t: TestContext, ...bookings: BookingRecord[]): Promise<Pile> {
  const pile = await startPile(t);
  await pile.agent.parts.store.commit(bookings.map((booking): StoreChange => ({ change: 'book', booking })));
  return pile;
}

async function promised(command: string, pile: Pile, ...argv: string[]): Promise<Document> {
  const document = await plugpoolJson(pile.dataDir, ...argv);
  return CLI_CONTRACT[command]?.parse(document) as Document;
}

test('a ledger is proven against its exported head, which is signed by a key that only its owner can read', async (t) => {
  const pile = await pileWith(t, bookingOf(1, 10), bookingOf(2, 20));
  const out = join(newDirectory(t), 'head.json');
  const head = await promised('ledger head', pile, 'ledger', 'head', '--out', out);
  assert.equal(head['bookings'], 2);
  assert.equal(statSync(join(pile.dataDir, 'ledger.key')).mode & 0o777, 0o600);
  const proof = await promised('ledger verify', pile, 'ledger', 'verify', '--head', out);
  assert.deepEqual([proof['bookings'], proof['findings']], [2, []]);
  const again = await plugpool(pile.dataDir, 'ledger', 'head', '--out', out);
  assert.equal(again.code, 1);
  assert.match(again.stderr, /head\.json is there already/);
  await pile.agent.parts.store.commit([{ change: 'book', booking: bookingOf(3, 30) }]);
  assert.match(
    (await plugpool(pile.dataDir, 'ledger', 'verify', '--head', out)).stdout,
    /proven: 3 bookings/,
  );
});

test('a head that was altered, or that another pile signed, is told', async (t) => {
  const [one, other] = [await pileWith(t, bookingOf(1, 10)), await pileWith(t, bookingOf(1, 10))];
  const directory = newDirectory(t);
  const [forged, foreign] = [join(directory, 'forged.json'), join(directory, 'foreign.json')];
  await plugpool(other.dataDir, 'ledger', 'head', '--out', foreign);
  const head = JSON.parse(readFileSync(foreign, 'utf8')) as Document;
  writeFileSync(forged, JSON.stringify({ ...head, bookings: 0, hash: '0'.repeat(64) }));
  for (const [file, code] of [
    [forged, 'head_forged'],
    [foreign, 'other_key'],
  ] as const) {
    const { code: exit, stdout } = await plugpool(one.dataDir, 'ledger', 'verify', '--head', file, '--json');
    const { ok, findings } = JSON.parse(stdout) as { ok: boolean; findings: { code: string }[] };
    assert.deepEqual([exit, ok, findings[0]?.code], [1, false, code]);
  }
  writeFileSync(forged, '{"bookings": 1}');
  const malformed = await plugpool(one.dataDir, 'ledger', 'verify', '--head', forged);
  assert.equal(malformed.code, 2);
});

test('a backup is proven without an agent, and a row that was edited in it is named', async (t) => {
  const pile = await pileWith(t, bookingOf(1, 10), bookingOf(2, 20), bookingOf(3, 30));
  const directory = newDirectory(t);
  const [backup, head] = [join(directory, 'backup.db'), join(directory, 'head.json')];
  await plugpoolJson(pile.dataDir, 'backup', backup);
  await plugpool(pile.dataDir, 'ledger', 'head', '--out', head);
  const nowhere = newDirectory(t);
  const whole = await plugpool(nowhere, 'ledger', 'verify', '--store', backup, '--head', head);
  assert.match(
    whole.stdout,
    /proven: 3 bookings, each as it was booked.*what the exported head knew is in it/,
  );
  const db = new Database(backup);
  db.exec(`UPDATE booking SET entries = replace(entries, '20', '90') WHERE booking_key = 2`);
  db.close();
  const edited = await plugpool(nowhere, 'ledger', 'verify', '--store', backup);
  assert.equal(edited.code, 1);
  assert.match(edited.stdout, /booking 2 is not what was booked/);
  for (const [file, why] of [
    [head, /is no database, or damaged/],
    [join(nowhere, 'none'), /is not there/],
  ] as const) {
    const none = await plugpool(nowhere, 'ledger', 'verify', '--store', file);
    assert.deepEqual([none.code, why.test(none.stderr)], [1, true], none.stderr);
    assert.match(none.stderr, /what to do: name a file that "plugpool backup" of this version made/);
  }
  const noHead = join(nowhere, 'no-head');
  writeFileSync(noHead, '{"bookings":1}');
  const noProof = await plugpool(nowhere, 'ledger', 'verify', '--head', noHead);
  assert.equal(noProof.code, 2);
  assert.match(noProof.stderr, /no-head is no head of a ledger: station: .*\n.*"plugpool ledger head --out"/);
});

test('an export is a line for each entry or booking of its time, and nothing in it computes in a spreadsheet', async (t) => {
  const evil = bookingOf(2, 20, '=HYPERLINK("x"), "y"');
  const pile = await pileWith(t, bookingOf(1, 10), evil, bookingOf(3, 30));
  const argv = ['ledger', 'export', '--from', '2026-11-02', '--to', '2026-11-03'];
  const { stdout } = await plugpool(pile.dataDir, ...argv);
  const [heading, ...lines] = stdout.trimEnd().split('\n');
  assert.match(heading ?? '', /^booking,booked,kind,task,.*account,unit,amount,hash$/);
  assert.equal(lines.length, 2);
  assert.match(
    lines[0] ?? '',
    /^2,2026-11-02T12:00:00\.000Z,result,t2,t2_0,2,0,day,no,"'=HYPERLINK\(""x""\), ""y""",EURe-6,-20,[0-9a-f]{64}$/,
  );
  const json = await plugpool(pile.dataDir, ...argv, '--format', 'json');
  const [only, ...more] = json.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Document);
  assert.deepEqual([only?.['booking'], only?.['overstay'], more.length], [2, false, 0]);
  const out = join(newDirectory(t), 'bookings.csv');
  assert.match((await plugpool(pile.dataDir, 'ledger', 'export', '--out', out)).stdout, /3 bookings/);
  assert.equal(readFileSync(out, 'utf8').trimEnd().split('\n').length, 7);
  const again = await plugpool(pile.dataDir, 'ledger', 'export', '--out', out);
  assert.deepEqual([again.code, /is there already/.test(again.stderr)], [1, true]);
  for (const bad of ['2026-02-30', 'yesterday', '2026-11-01 12:00'])
    assert.equal((await plugpool(pile.dataDir, 'ledger', 'export', '--from', bad)).code, 2, bad);
  const none = await plugpool(pile.dataDir, 'ledger', 'export', '--from', '2026-11-03', '--to', '2026-11-02');
  assert.deepEqual([none.code, none.stdout], [2, '']);
  assert.match(none.stderr, /nothing lies between --from 2026-11-03T.*\n.*give a --to after --from/);
});

test('what accrued becomes whole cents, the rest stays, and settling again settles nothing', async (t) => {
  const pile = await pileWith(t, bookingOf(1, 2_500_000), bookingOf(2, 400_000));
  const settled = await promised('ledger settle', pile, 'ledger', 'settle');
  assert.equal(settled['accounts'], 2);
  const { balances } = await promised(
    'ledger balance',
    pile,
    'ledger',
    'balance',
    '--account',
    'vehicle:donor',
  );
  assert.deepEqual(
    (balances as Document[]).map(({ unit, balance }) => [unit, balance]),
    [
      ['EUR', 2],
      ['EURe-6', 900_000],
    ],
  );
  assert.equal((await promised('ledger', pile, 'ledger'))['balanced'], true);
  assert.equal((await promised('ledger settle', pile, 'ledger', 'settle'))['accounts'], 0);
  assert.deepEqual((await promised('ledger verify', pile, 'ledger', 'verify'))['findings'], []);
  const unknown = await plugpool(pile.dataDir, 'ledger', 'balance', '--account', 'vehicle:nobody');
  assert.match(unknown.stderr, /nothing was ever booked on vehicle:nobody/);
  assert.equal((await plugpool(pile.dataDir, 'ledger', 'burn')).code, 2);
});

test('a driver sees what lending brought, what its energy cost, and what is left of an hour now, before he consents', async (t) => {
  const night = { name: 'night', currency: 'EUR', cpuHour: 0.03, operatorSharePercent: 20, energyKwh: 0.5 };
  const pile = await startPile(t, { tariffs: [night], ledger: { overstayAfter: '2h', coreDrawsW: 10 } });
  const cost: BookingRecord = {
    ...bookingOf(2, 0),
    entries: [
      { account: 'energy-cost:donor' as Account, unit: MICROS, amount: -7 },
      { account: 'charging-bill' as Account, unit: MICROS, amount: 7 },
    ],
  };
  await pile.agent.parts.store.commit([
    { change: 'book', booking: bookingOf(1, 1_234_567) },
    { change: 'book', booking: cost },
  ]);
  const who = ['--vehicle', 'donor', '--agent', pile.url, '--data-dir', newDirectory(t)];
  assert.deepEqual(JSON.parse(await vehicle('earnings', ...who, '--json')), {
    ok: true,
    balances: [{ unit: 'EURe-6', credited: 1_234_567, debited: 0 }],
    energyCosts: [{ unit: 'EURe-6', credited: 0, debited: 7 }],
    nets: [{ currency: 'EUR', micros: 1_234_560 }],
    terms: {
      tariff: 'night',
      currency: 'EUR',
      cpuHourMicros: 2_400_000,
      gpuHourMicros: 0,
      energyKwhMicros: 50_000_000,
      cpuHourMwh: 10_000,
      overstayAfterMs: 7_200_000,
      // 2.4 cents less a hundredth of a kWh at 50.
      netCpuHourMicros: 1_900_000,
    },
    measured: null,
  });
  const page = await vehicle('earnings', ...who);
  assert.match(page, /left, energy paid: 0\.0123 EUR/);
  assert.match(page, /left of a core's hour +0\.0190 EUR/);
  assert.match(page, /nothing is earned from 120 min after charging ended/);
});

test('where nothing is paid a driver is told so', async (t) => {
  const pile = await startPile(t);
  const who = ['--vehicle', 'donor', '--agent', pile.url, '--data-dir', newDirectory(t)];
  assert.match(await vehicle('earnings', ...who), /nothing was booked here yet\n\nnothing is paid in money/);
});

/** `plugpool-vehicle …` in this process: what it prints. */
async function vehicle(...argv: string[]): Promise<string> {
  let said = '';
  const stdout = new Writable({
    write: (chunk: Buffer, _, done) => {
      said += chunk.toString();
      done();
    },
  });
  const code = await main(argv, { ...processContext(), stdout, stderr: process.stderr });
  assert.equal(code, 0, said);
  return said;
}
