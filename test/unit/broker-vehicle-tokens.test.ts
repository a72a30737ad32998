/** Tokens: bound at first use, asked for ever after, and nothing a stranger does costs the owner its vehicle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createVehicleTokens, mayListen } from '../../agent/adapters/vehicle-tokens.ts';
import type { TokenMode, VehicleTokens } from '../../agent/adapters/vehicle-tokens.ts';
import { clientIdOf } from '../../proto/index.ts';
import type { ClientName, Slot, VehicleId } from '../../proto/index.ts';

const OWNER = 'a token of the owner';
const STRANGER = 'a token of a stranger';

class MemoryTokens {
  readonly hashes = new Map<VehicleId, string>();
  reads = 0;
  failure: Error | undefined;

  async tokenHash(vehicleId: VehicleId): Promise<string | undefined> {
    this.reads += 1;
    await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    return this.hashes.get(vehicleId);
  }

  async bindToken(vehicleId: VehicleId, hash: string): Promise<boolean> {
    await Promise.resolve();
    if (this.hashes.has(vehicleId)) return false;
    this.hashes.set(vehicleId, hash);
    return true;
  }

  async unbindToken(vehicleId: VehicleId): Promise<boolean> {
    await Promise.resolve();
    return this.hashes.delete(vehicleId);
  }
}

function vehicle(id: string): ClientName {
  const vehicleId = id as VehicleId;
  const slot = 'lend' as Slot;
  return { vehicleId, slot, clientId: clientIdOf(vehicleId, slot) };
}

function tokens(mode: TokenMode): {
  readonly tokens: VehicleTokens;
  readonly store: MemoryTokens;
  readonly lines: string[];
} {
  const store = new MemoryTokens();
  const lines: string[] = [];
  const write = (_fields: object, message: string): void => {
    lines.push(message);
  };
  const log = { info: write, warn: write, error: write };
  return { tokens: createVehicleTokens({ store, mode, log, monoMs: () => 0 }), store, lines };
}

const car = vehicle('car');

test('with tokens required, the first token of a vehicle is bound and no other is taken after it', async () => {
  const { tokens: checked, store } = tokens('tokens');
  assert.equal(await checked.authenticate(car, undefined), 'refused');
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  assert.equal(await checked.authenticate(car, STRANGER), 'refused');
  assert.equal(await checked.authenticate(car, ''), 'refused');
  assert.equal(await checked.authenticate(car, undefined), 'refused');
  assert.equal(await checked.authenticate(vehicle('truck'), STRANGER), 'accepted');
  assert.doesNotMatch([...store.hashes.values()].join(), /owner/);
});

test('two vehicles with one token have different hashes', async () => {
  const { tokens: checked, store } = tokens('tokens');
  await checked.authenticate(car, OWNER);
  await checked.authenticate(vehicle('truck'), OWNER);
  assert.equal(new Set(store.hashes.values()).size, 2);
});

test('a token below sixteen bytes is never bound; bytes count, not characters', async () => {
  for (const mode of ['open', 'tokens'] as const) {
    const { tokens: checked, store } = tokens(mode);
    assert.equal(await checked.authenticate(car, 'x'.repeat(15)), 'refused');
    assert.equal(store.hashes.size, 0);
    assert.equal(await checked.authenticate(car, 'é'.repeat(8)), 'accepted');
  }
});

test('in the open a vehicle needs no token until it has shown one', async () => {
  const { tokens: checked } = tokens('open');
  assert.equal(await checked.authenticate(car, undefined), 'accepted');
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  assert.equal(await checked.authenticate(car, undefined), 'refused');
  assert.equal(await checked.authenticate(car, STRANGER), 'refused');
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
});

test('of two first uses at once one token is bound and the other refused', async () => {
  const { tokens: checked } = tokens('tokens');
  const verdicts = await Promise.all([checked.authenticate(car, OWNER), checked.authenticate(car, STRANGER)]);
  assert.deepEqual(verdicts.toSorted(), ['accepted', 'refused']);
});

test('ten thousand wrong tokens lock nobody out, read the store once and write five lines', async () => {
  const { tokens: checked, store, lines } = tokens('tokens');
  await checked.authenticate(car, OWNER);
  const readsBefore = store.reads;
  const linesBefore = lines.length;
  for (let i = 0; i < 10_000; i++) {
    assert.equal(await checked.authenticate(car, `${STRANGER} ${i}`), 'refused');
  }
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  assert.deepEqual([store.reads - readsBefore, lines.length - linesBefore], [1, 5]);
});

test('made-up vehicle ids cannot fill the store: sixty are bound at once, those that are bound still come in', async () => {
  const { tokens: checked, store } = tokens('tokens');
  await checked.authenticate(car, OWNER);
  const verdicts: string[] = [];
  for (let i = 0; i < 100; i++) verdicts.push(await checked.authenticate(vehicle(`v${i}`), STRANGER));
  assert.deepEqual(new Set(verdicts.slice(59)), new Set(['unavailable']));
  assert.equal(store.hashes.size, 60);
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
});

test('many checks at once do not pile up before the store, and a known vehicle passes by them', async () => {
  const { tokens: checked, store } = tokens('tokens');
  await checked.authenticate(car, OWNER);
  await checked.authenticate(car, OWNER);
  const answers = Array.from({ length: 100 }, (_, i) => checked.authenticate(vehicle(`v${i}`), undefined));
  const tried = Array.from({ length: 100 }, (_, i) => checked.authenticate(vehicle(`v${i}`), STRANGER));
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  await Promise.all(answers);
  assert.ok((await Promise.all(tried)).includes('unavailable'));
  assert.ok(store.reads <= 2 + 32);
});

test('a store that fails makes checks unavailable, not refused, and its failure is not remembered', async () => {
  const { tokens: checked, store } = tokens('tokens');
  store.failure = new Error('the disk is gone');
  assert.equal(await checked.authenticate(car, OWNER), 'unavailable');
  store.failure = undefined;
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
});

test('a hash of an unknown kind is not taken for a wrong token', async () => {
  const { tokens: checked, store } = tokens('tokens');
  store.hashes.set(car.vehicleId, 'scrypt$x$y');
  assert.equal(await checked.authenticate(car, OWNER), 'unavailable');
});

test('after an unbinding the next token is bound, though the old hash was in memory or being read', async () => {
  const { tokens: checked } = tokens('tokens');
  await checked.authenticate(car, OWNER);
  const reading = checked.authenticate(car, OWNER);
  assert.equal(await checked.unbind(car.vehicleId), true);
  await reading;
  assert.equal(await checked.authenticate(car, STRANGER), 'accepted');
  assert.equal(await checked.authenticate(car, OWNER), 'refused');
  assert.equal(await checked.unbind(car.vehicleId), true);
  assert.equal(await checked.authenticate(car, OWNER), 'accepted');
  assert.equal(await checked.unbind(vehicle('truck').vehicleId), false);
});

const listens: readonly (readonly [listen: string, mode: TokenMode, may: boolean])[] = [
  ['mqtt://127.0.0.1:1883', 'open', true],
  ['mqtt://127.8.7.6', 'open', true],
  ['mqtt://localhost:0', 'open', true],
  ['mqtt://[::1]:1883', 'open', true],
  ['mqtt://0.0.0.0:1883', 'open', false],
  ['mqtt://[::]:1883', 'open', false],
  ['mqtt://192.168.1.4:1883', 'open', false],
  ['mqtt://127.0.0.1.example:1883', 'open', false],
  ['mqtt://pile.local:1883', 'open', false],
  ['mqtt://0.0.0.0:1883', 'tokens', true],
  ['mqtt://:1883', 'tokens', false],
  ['http://127.0.0.1:1883', 'open', false],
  ['127.0.0.1:1883', 'tokens', false],
  ['mqtt://127.0.0.1:1883/path', 'open', false],
  ['mqtt://user@127.0.0.1:1883', 'open', false],
];

for (const [listen, mode, may] of listens) {
  test(`an agent ${may ? 'may' : 'may not'} listen on ${listen} in mode ${mode}`, () => {
    const verdict = mayListen(listen, mode);
    assert.equal(verdict.ok, may);
    if (!verdict.ok) assert.match(verdict.reason, /mqtt:\/\/(127\.0\.0\.1|HOST)/);
  });
}
