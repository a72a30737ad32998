/** Credit records of a running agent: listed, exported, proven, and sent once to a back office that takes them. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { configOf, startAgent, type ConfigInput, type RunningAgent } from '@plugpool/agent';
import type { ControlOutcome, FirmwareAdapter, FirmwareEvent, SignedRecord } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import type { CreditRecord, StoreChange, Unit } from '../../agent/core/records.ts';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { stayOver } from '../stay-records.ts';
import { newDirectory, plugpool, plugpoolJson } from './cli-fixtures.ts';

const ONE = 'north/1/1' as ConnectorId;
const DAY_MS = 86_400_000;
const FIRST_DAY_MS = Date.UTC(2026, 10, 1, 12);

/** A station whose back office takes what it is sent, or not. */
class BackOffice implements FirmwareAdapter {
  readonly name = 'back-office';
  readonly capabilities = new Set<never>();
  readonly staleAfterMs = 0;
  readonly sent: SignedRecord[] = [];
  readonly #says: ControlOutcome;
  readonly #taken = Promise.withResolvers<void>();
  readonly control: NonNullable<FirmwareAdapter['control']>;

  constructor(says: ControlOutcome) {
    this.#says = says;
    const nothing = () => Promise.resolve(says);
    this.control = {
      abilities: new Set(['credit'] as const),
      ...{ setCap: nothing, clearCap: nothing, showText: nothing },
      sendCredit: (_: ConnectorId, record: SignedRecord) => {
        this.sent.push(record);
        this.#taken.resolve();
        return Promise.resolve(this.#says);
      },
    };
  }

  get taken(): Promise<void> {
    return this.#taken.promise;
  }

  start(emit: (event: FirmwareEvent) => void): Promise<void> {
    emit({ kind: 'unplugged', connectorId: ONE, at: { receivedWallMs: Date.now() } });
    return Promise.resolve();
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

/** A stay of that day, with its one booking. */
function stayOf(n: number, vehicleId: string): StoreChange[] {
  const wallMs = FIRST_DAY_MS + (n - 1) * DAY_MS;
  const { credit, booking } = stayOver(n, vehicleId, wallMs);
  const more: Partial<CreditRecord> = {
    transactionId: `=tx-${n}`,
    earned: [...credit.earned, { unit: 'EURe-6' as Unit, amount: 1_000 * n }],
    tariffs: ['day'],
    madeWallMs: wallMs + 1,
  };
  return [
    { change: 'book', booking },
    { change: 'putCredit', credit: { ...credit, ...more } },
    { change: 'putCreditSending', creditId: credit.creditId, sending: { state: 'waiting', tries: 0 } },
  ];
}

async function start(
  t: TestContext,
  dataDir: string,
  input: ConfigInput,
  firmware: readonly FirmwareAdapter[] = [],
): Promise<RunningAgent> {
  const running = await startAgent(
    configOf({ dataDir, station: 'north', listen: 'mqtt://127.0.0.1:0', ...input }),
    {
      firmware,
    },
  );
  t.after(() => running.stop());
  return running;
}

async function listed(
  dataDir: string,
): Promise<{ id: string; sending: { state: string; code: string | null } }[]> {
  const document = await plugpoolJson(dataDir, 'credits', 'list');
  const parsed = CLI_CONTRACT['credits list']?.parse(document) as { credits: never[] };
  return parsed.credits;
}

test('records are listed, exported and proven offline; who alters one is found', async (t) => {
  const dataDir = newDirectory(t);
  const { agent } = await start(t, dataDir, { credits: 'keep' });
  const nothing = await plugpool(dataDir, 'credits', 'list');
  assert.match(nothing.stdout, /made when a vehicle that lent has left, where .* credits: keep or send/);
  for (const [n, vehicle] of [
    [1, 'car-a'],
    [2, 'car-b'],
  ] as const)
    await agent.parts.store.commit(stayOf(n, vehicle));
  assert.deepEqual(
    (await listed(dataDir)).map(({ id }) => id),
    ['north/1', 'north/2'],
  );
  const page = await plugpool(dataDir, 'credits', 'list', '--from', '2026-11-02');
  assert.match(page.stdout, /north\/2 .*car-b .*1\.800 core-s/);
  assert.doesNotMatch(page.stdout, /car-a/);

  const out = join(newDirectory(t), 'credits.jsonl');
  const exported = await plugpoolJson(dataDir, 'credits', 'export', '--out', out);
  assert.deepEqual(CLI_CONTRACT['credits export']?.parse(exported), { ok: true, file: out, credits: 2 });
  const lines = readFileSync(out, 'utf8');
  assert.doesNotMatch(lines, /car-a|car-b/);
  const { publicKey } = (await plugpoolJson(dataDir, 'ledger', 'head')) as { publicKey: string };
  const proof = await plugpoolJson(dataDir, 'credits', 'verify', out, '--public-key', publicKey);
  assert.deepEqual(CLI_CONTRACT['credits verify']?.parse(proof), {
    ok: true,
    records: 2,
    publicKey,
    findings: [],
  });

  const csv = await plugpool(dataDir, 'credits', 'export', '--format', 'csv');
  const [heading, first] = csv.stdout.split('\n');
  assert.match(heading ?? '', /^id,station,connector,transaction,vehicle,/);
  assert.match(first ?? '', /^north\/1,north,north\/1\/1,'=tx-1,[0-9a-f]{32},.*,900,0,0,EUR,1000,day,/);

  writeFileSync(out, lines.replace('\\"micros\\":1000', '\\"micros\\":9000'));
  const forged = await plugpool(dataDir, 'credits', 'verify', out);
  assert.equal(forged.code, 1);
  assert.match(forged.stdout, /line 1: north\/1: the signature does not fit/);
  writeFileSync(out, csv.stdout);
  assert.match((await plugpool(dataDir, 'credits', 'verify', out)).stderr, /CSV export/);
  for (const empty of ['', '\n\n']) {
    writeFileSync(out, empty);
    const unproven = await plugpool(dataDir, 'credits', 'verify', out);
    assert.deepEqual([unproven.code, unproven.stdout], [1, 'nothing is proven: there is no record in it\n']);
    const { code, stdout } = await plugpool(dataDir, 'credits', 'verify', out, '--json');
    assert.deepEqual(
      [code, CLI_CONTRACT['credits verify'].parse(JSON.parse(stdout))],
      [1, { ok: false, records: 0, publicKey: null, findings: [] }],
    );
  }
  const none = await plugpool(dataDir, 'credits', 'export', '--from', '2026-12-01', '--to', '2026-11-01');
  assert.match(none.stderr, /nothing lies between/);
});

test('after a start what waits is sent as it was exported, and who took it is not asked again', async (t) => {
  const dataDir = newDirectory(t);
  const before = await start(t, dataDir, { credits: 'keep' });
  await before.agent.parts.store.commit(stayOf(1, 'car-a'));
  const exported = await plugpool(dataDir, 'credits', 'export');
  await before.stop();

  const office = new BackOffice({ ok: true });
  const running = await start(t, dataDir, { credits: 'send' }, [office]);
  await office.taken;
  assert.equal(`${JSON.stringify(office.sent[0])}\n`, exported.stdout);
  while ((await listed(dataDir))[0]?.sending.state === 'waiting')
    await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await listed(dataDir))[0]?.sending.state, 'accepted');
  await running.stop();
  const again = new BackOffice({ ok: true });
  await start(t, dataDir, { credits: 'send' }, [again]);
  assert.equal(again.sent.length, 0);
});

test('a back office that does not know us is shown as such, and asked no more', async (t) => {
  const dataDir = newDirectory(t);
  const office = new BackOffice({ ok: false, code: 'unsupported', message: 'UnknownVendorId' });
  const keeps = await start(t, dataDir, { credits: 'keep' });
  await keeps.agent.parts.store.commit(stayOf(1, 'car-a'));
  await keeps.stop();
  await start(t, dataDir, { credits: 'send' }, [office]);
  await office.taken;
  while ((await listed(dataDir))[0]?.sending.state === 'waiting')
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual((await listed(dataDir))[0]?.sending.code, 'unsupported');
  const page = await plugpool(dataDir, 'credits', 'list');
  assert.match(page.stdout, /does not take it: unsupported/);
});
