/** What a caller states of a request: what of it travels, and what is refused before anything is sent. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PlugpoolError } from '../../vehicle-client/errors.ts';
import { toRequest } from '../../vehicle-client/request-body.ts';
import { toWants, type WantOptions } from '../../vehicle-client/wants.ts';

function refusalOf(options: WantOptions): PlugpoolError {
  try {
    toWants(options);
  } catch (error) {
    assert.ok(error instanceof PlugpoolError, String(error));
    assert.equal(error.code, 'wants_invalid');
    assert.notEqual(error.hint, '');
    return error;
  }
  throw new assert.AssertionError({ message: `taken: ${JSON.stringify(options)}` });
}

test('a request that states nothing carries nothing', () => {
  assert.equal(toWants({}), undefined);
  assert.equal(toWants({ demand: { threads: undefined }, allAtOnce: false, zone: undefined }), undefined);
  assert.equal('wants' in toRequest({ type: 'echo' }, 0).body, false);
});

test('all that can be stated arrives in the units of the wire', () => {
  const wants = toWants({
    at: { latitude: -31.9523, longitude: 115.8613 },
    latencyMs: 200,
    instances: 4,
    allAtOnce: true,
    demand: {
      cpuMillicores: 1500,
      memoryMib: 256,
      threads: 2,
      gpuMillis: 500,
      vramMib: 4096,
      gpuModel: 'RTX 2080',
      workCoreS: 12.5,
    },
    budgetCoreS: 0.25,
    payer: 'couriers',
    trust: { makes: ['a make', 'another'] },
    constraint: 'donor.cpuMillicores > 2000',
    quorum: 3,
  });
  assert.deepEqual(wants, {
    place: { by: 'point', latitudeE7: -319_523_000, longitudeE7: 1_158_613_000 },
    latencyMs: 200,
    instances: 4,
    allAtOnce: true,
    demand: {
      cpuMillicores: 1500,
      memoryMib: 256,
      threads: 2,
      gpu: { shareMillis: 500, vramMib: 4096, model: 'RTX 2080' },
      workMncs: 12_500,
    },
    budgetMncs: 250,
    payer: 'couriers',
    trust: { whom: 'makes', makes: ['a make', 'another'] },
    constraint: 'donor.cpuMillicores > 2000',
    quorum: 3,
  });
  assert.deepEqual(toWants({ zone: 'harbour', trust: 'fleet' }), {
    place: { by: 'zone', zone: 'harbour' },
    trust: { whom: 'fleet' },
  });
});

test('what no pile could take is refused with what would be right', () => {
  const cases: readonly (readonly [WantOptions, RegExp])[] = [
    [{ zone: 'a', at: { latitude: 0, longitude: 0 } }, /a zone or from a point/],
    [{ at: { latitude: 91, longitude: 0 } }, /latitude of 91/],
    [{ at: { latitude: 0, longitude: NaN } }, /longitude of NaN/],
    [{ zone: ' ' }, /the zone cannot be " "/],
    [{ latencyMs: 0 }, /the latency in milliseconds cannot be 0/],
    [{ latencyMs: 0.5 }, /latency in milliseconds cannot be 0.5/],
    [{ instances: 17 }, /number of instances cannot be 17/],
    [{ demand: { cpuMillicores: -1 } }, /the millicores cannot be -1/],
    [{ demand: { gpuMillis: 1001 } }, /the thousandths of a GPU cannot be 1001/],
    [{ demand: { workCoreS: Infinity } }, /the work in core-seconds cannot be Infinity/],
    [{ budgetCoreS: 0 }, /the budget in core-seconds cannot be 0/],
    [{ payer: 'p'.repeat(65) }, /the payer cannot be "ppp/],
    [{ trust: { makes: [] } }, /makes can be trusted, not 0/],
    [{ trust: { makes: [''] } }, /a trusted make cannot be ""/],
    [{ zone: 'Zürich' }, /the zone cannot be/],
    [{ demand: { gpuModel: '' } }, /model of the GPU is empty/],
    [{ quorum: 6 }, /number of owners that must agree cannot be 6/],
    [{ constraint: '' }, /constraint is empty/],
    [{ constraint: `"${'é'.repeat(1024)}"` }, /has 2050 bytes, more than 2048/],
  ];
  for (const [options, expected] of cases) assert.match(refusalOf(options).message, expected);
});

test('the same options give the same body, so that a repeated request is the same request', () => {
  const positive = fc.integer({ min: 1, max: 16 });
  const options = fc.record(
    {
      zone: fc.constantFrom('a', 'b'),
      latencyMs: positive,
      instances: positive,
      quorum: fc.integer({ min: 1, max: 5 }),
      allAtOnce: fc.boolean(),
      demand: fc.record({ threads: positive, workCoreS: positive }, { requiredKeys: [] }),
      constraint: fc.constant('true'),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(options, (wanted) => {
      const body = () => toRequest({ type: 'echo', requestId: 'r', ...wanted }, 0).body;
      assert.deepEqual(body(), body());
      assert.equal(JSON.stringify(body().wants ?? {}).includes('null'), false);
    }),
  );
});
