/** A pile whose operator runs it without a CSMS: the relay answers, by the schemas of OCPP, as little as lets it charge. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { pino } from 'pino';
import { TransactionIds } from '../../firmware-bridge/ocpp/relay/transaction-ids.ts';
import { connectPile, RawPile, refusedWith, startRelay, TapReader } from './ocpp-relay-scene.ts';

const AT = '2026-01-01T00:00:00.000Z';
const SIGNED_OUT = { reason: 'Local', transactionId: 1, timestamp: AT, meterStop: 10 };

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'plugpool-relay-ids-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function startAlone(t: TestContext, more: object = {}, idTokens: 'all' | readonly string[] = ['Known']) {
  const withoutCsms = { idTokens, stateFile: join(folderOf(t), 'ids.json') };
  return startRelay(t, 'none', { withoutCsms, ...more });
}

test('1.6: boot, authorisation, a transaction and its end, each answer right by the schema', async (t) => {
  const { url, tapPath } = await startAlone(t);
  const reader = await new TapReader(t, tapPath).ready();
  // The library checks every answer against the schemas of OCPP.
  const pile = await connectPile(t, url, 'P1', { protocols: ['ocpp1.6'], strictMode: true });
  const boot = (await pile.call('BootNotification', { chargePointVendor: 'v', chargePointModel: 'm' })) as {
    status: string;
    interval: number;
  };
  assert.deepEqual([boot.status, boot.interval], ['Accepted', 300]);
  await pile.call('Heartbeat', {});
  await pile.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' });
  assert.deepEqual(await pile.call('Authorize', { idTag: 'KNOWN' }), { idTagInfo: { status: 'Accepted' } });
  assert.deepEqual(await pile.call('Authorize', { idTag: 'other' }), { idTagInfo: { status: 'Invalid' } });
  const start = { connectorId: 1, idTag: 'Known', meterStart: 0, timestamp: AT };
  const started = (await pile.call('StartTransaction', start)) as { transactionId: number };
  assert.deepEqual(await pile.call('StartTransaction', start), started, 'said again, it is the same one');
  const next = (await pile.call('StartTransaction', { ...start, connectorId: 2 })) as {
    transactionId: number;
  };
  assert.notEqual(next.transactionId, started.transactionId);
  await pile.call('MeterValues', {
    connectorId: 1,
    meterValue: [{ timestamp: AT, sampledValue: [{ value: '1' }] }],
  });
  await pile.call('StopTransaction', { ...SIGNED_OUT, transactionId: started.transactionId });
  assert.deepEqual(await pile.call('DataTransfer', { vendorId: 'v' }), { status: 'UnknownVendorId' });
  const up = reader.lines.find((line) => line.t === 'pile');
  assert.ok(up?.t === 'pile' && up.upstream === undefined, 'there is no CSMS to be up');
  assert.ok(reader.frames().some(({ from, text }) => from === 'csms' && text.includes('UnknownVendorId')));
});

for (const protocol of ['ocpp2.0.1', 'ocpp2.1'])
  test(`${protocol}: boot, authorisation and transaction events are answered by the schema`, async (t) => {
    const { url } = await startAlone(t);
    // For 2.1 the library has no schemas.
    const pile = await connectPile(t, url, 'P1', {
      protocols: [protocol],
      strictMode: protocol === 'ocpp2.0.1',
    });
    const station = { reason: 'PowerUp', chargingStation: { model: 'm', vendorName: 'v' } };
    assert.equal(((await pile.call('BootNotification', station)) as { status: string }).status, 'Accepted');
    await pile.call('StatusNotification', {
      timestamp: AT,
      connectorStatus: 'Occupied',
      evseId: 1,
      connectorId: 1,
    });
    const idToken = { idToken: 'known', type: 'ISO14443' };
    assert.deepEqual(await pile.call('Authorize', { idToken }), { idTokenInfo: { status: 'Accepted' } });
    assert.deepEqual(await pile.call('Authorize', { idToken: { idToken: 'x', type: 'ISO14443' } }), {
      idTokenInfo: { status: 'Unknown' },
    });
    assert.deepEqual(await pile.call('Authorize', { idToken: { idToken: '', type: 'NoAuthorization' } }), {
      idTokenInfo: { status: 'Accepted' },
    });
    const event = {
      timestamp: AT,
      triggerReason: 'Authorized',
      seqNo: 0,
      transactionInfo: { transactionId: 'T' },
    };
    assert.deepEqual(await pile.call('TransactionEvent', { ...event, eventType: 'Started', idToken }), {
      idTokenInfo: { status: 'Accepted' },
    });
    assert.deepEqual(await pile.call('TransactionEvent', { ...event, eventType: 'Ended', seqNo: 1 }), {});
    const needs = {
      evseId: 1,
      chargingNeeds: {
        requestedEnergyTransfer: 'DC',
        dcChargingParameters: { evMaxCurrent: 1, evMaxVoltage: 1 },
      },
    };
    assert.deepEqual(await pile.call('NotifyEVChargingNeeds', needs), { status: 'Rejected' });
    await assert.rejects(pile.call('SignCertificate', { csr: 'x' }), { rpcErrorCode: 'NotImplemented' });
  });

test('whoever asks may charge where the operator says so; and nonsense gets an error', async (t) => {
  const { url } = await startAlone(t, {}, 'all');
  const pile = await new RawPile(t, url, 'P1').open();
  const answers: readonly (readonly [string, unknown])[] = [
    ['[2,"1","Authorize",{"idTag":"anybody"}]', [3, '1', { idTagInfo: { status: 'Accepted' } }]],
    ['[2,"2","Authorize",{}]', [4, '2', 'FormationViolation', 'Authorize lacks what it must have', {}]],
    ['[2,"3","Authorize"]', [4, '3', 'FormationViolation', 'the payload is no object', {}]],
    ['[2,"4","toString",{}]', [4, '4', 'NotImplemented', 'toString is not answered here', {}]],
  ];
  for (const [index, [text, answer]] of answers.entries()) {
    for (const nothing of ['no JSON', '{}', '[3,"x",{}]']) pile.send(nothing);
    pile.send(text);
    await pile.until('an answer', () => pile.heard.length === index + 1);
    assert.deepEqual(JSON.parse(pile.heard[index] ?? ''), answer);
  }
});

test('a pile with a password shows it, and the others need none', async (t) => {
  const passwordFile = join(folderOf(t), 'p1');
  writeFileSync(passwordFile, 'secret\n');
  const { url } = await startAlone(t, { piles: { P1: { passwordFile } } });
  for (const password of [null, 'wrong'])
    assert.equal(
      (await refusedWith(url, 'P1', password === null ? {} : { auth: `P1:${password}` })).status,
      401,
    );
  await connectPile(t, url, 'P1', { password: 'secret' });
  await connectPile(t, url, 'P2');
});

test('the agent’s calls reach such a pile, and nobody takes its credits', async (t) => {
  const { url, tapPath } = await startAlone(t, { allow: ['cap', 'credit'] });
  await connectPile(t, url, 'P1');
  const reader = await new TapReader(t, tapPath).ready();
  const call = { pile: 'P1', payload: {}, withinMs: 1_000 } as const;
  assert.deepEqual(await reader.call({ ...call, to: 'pile', action: 'ClearChargingProfile' }), {
    ok: true,
    payload: { status: 'Accepted' },
  });
  assert.deepEqual(await reader.call({ ...call, to: 'csms', action: 'DataTransfer' }), {
    ok: true,
    payload: { status: 'UnknownVendorId' },
  });
});

test('a disk that takes nothing costs a pile its new transactions, and nobody anything else', async (t) => {
  const folder = folderOf(t);
  const stateFile = join(folder, 'ids.json');
  const inTheWay = `${stateFile}.new`;
  mkdirSync(inTheWay);
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });
  const { url } = await startRelay(t, 'none', { withoutCsms: { idTokens: 'all', stateFile } }, log);
  const pile = await new RawPile(t, url, 'P1').open();
  const start = (id: string): void =>
    pile.send(
      JSON.stringify([
        2,
        id,
        'StartTransaction',
        { connectorId: 1, idTag: 'x', meterStart: 0, timestamp: AT },
      ]),
    );
  for (const id of ['1', '2']) start(id);
  pile.send('[2,"3","Heartbeat",{}]');
  await pile.until('three answers', () => pile.heard.length === 3);
  assert.deepEqual(
    pile.heard.map((text) =>
      (JSON.parse(text) as unknown[]).slice(0, 3).slice(0, text.startsWith('[4') ? 3 : 2),
    ),
    [
      [4, '1', 'InternalError'],
      [4, '2', 'InternalError'],
      [3, '3'],
    ],
  );
  assert.match(lines.join(''), /"code":"EISDIR".*no transaction id can be given/);
  assert.ok(!pile.heard.join('').includes(folder), 'paths of this machine are not the field’s business');
  rmSync(inTheWay, { recursive: true });
  start('4');
  await pile.until('an id', () => pile.heard.length === 4);
  assert.deepEqual(JSON.parse(pile.heard[3] ?? ''), [
    3,
    '4',
    { transactionId: 1, idTagInfo: { status: 'Accepted' } },
  ]);
});

test('an id is given only once the disk has it', (t) => {
  const file = join(folderOf(t), 'ids.json');
  const ids = new TransactionIds(file);
  mkdirSync(`${file}.new`);
  for (let again = 0; again < 2; again += 1) assert.throws(() => ids.next(), { code: 'EISDIR' });
  rmSync(`${file}.new`, { recursive: true });
  assert.equal(ids.next(), 1);
});

test('no transaction id is given twice, whatever ends the process; a damaged file is not guessed at', (t) => {
  const file = join(folderOf(t), 'ids.json');
  const given = new Set<number>();
  for (let start = 0; start < 3; start += 1) {
    const ids = new TransactionIds(file);
    for (let count = 0; count < 150; count += 1) {
      const id = ids.next();
      assert.ok(!given.has(id) && id > 0);
      given.add(id);
    }
  }
  assert.ok(
    Number((JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>)['transactionIdsGivenUpTo']) >=
      450,
  );
  for (const damaged of ['', '{}', '{"transactionIdsGivenUpTo":-1}', '{"transactionIdsGivenUpTo":1.5}']) {
    writeFileSync(file, damaged);
    assert.throws(() => new TransactionIds(file), { code: 'invalid_file' });
  }
});
