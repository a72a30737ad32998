/** Whatever a device's registers hold, and whatever a map says: nothing throws but what says why, and the events are in their order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConnectorId } from '@plugpool/proto';
import fc from 'fast-check';
import { FirmwareError, createPseudonymizer } from '../../firmware-bridge/index.ts';
import { checkMap, loadMap, shippedMaps } from '../../firmware-bridge/modbus/load-map.ts';
import { look } from '../../firmware-bridge/modbus/look.ts';
import { ModbusFailure } from '../../firmware-bridge/modbus/modbus-link.ts';
import { ModbusStory } from '../../firmware-bridge/modbus/modbus-story.ts';
import { planReads } from '../../firmware-bridge/modbus/read-plan.ts';
import type { RegisterMap } from '../../firmware-bridge/modbus/register-map.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';

const pseudonymize = createPseudonymizer(new Uint8Array(16));
/** Small numbers and IEC 61851 letters, so that rules hold now and then; and anything. */
const word = fc.oneof(
  fc.integer({ min: 0, max: 9 }),
  fc.constantFrom(0x4131, 0x4231, 0x4232, 0x4331, 0x4332, 0x4600, 0xffff),
  fc.nat(0xffff),
);
const answer = fc.oneof(
  { weight: 8, arbitrary: fc.array(word, { minLength: 125, maxLength: 125 }) },
  { weight: 1, arbitrary: fc.constantFrom('exception', 'no_answer') },
);

async function lookOnce(map: RegisterMap, said: readonly number[] | string) {
  const read = async (
    _unit: number,
    _table: string,
    _address: number,
    words: number,
  ): Promise<Uint16Array> => {
    if (typeof said === 'string') throw new ModbusFailure(said as 'exception', said, 2);
    return Uint16Array.from(said.slice(0, words));
  };
  const access = { read, write: async () => undefined, close: () => undefined };
  const ignore = (): void => undefined;
  const requests = planReads(map);
  const around = { map, requests, pseudonymize, isRefused: () => false, refuse: ignore, doubt: ignore };
  return look(access, { unit: 1, shift: 0 }, around);
}

for (const name of shippedMaps()) {
  test(`any registers of a ${name} are told in the order that the port has, or are a failure`, async () => {
    const map = loadMap(name);
    await fc.assert(
      fc.asyncProperty(fc.array(answer, { maxLength: 30 }), async (answers) => {
        const story = new ModbusStory('pile/1/1' as ConnectorId);
        const order = new FirmwareOrder();
        let nowMs = 0;
        for (const said of answers) {
          nowMs += 3_000;
          const facts = await lookOnce(map, said).then(
            (reading) => story.see(reading, nowMs),
            (error: unknown) => {
              assert.ok(error instanceof ModbusFailure);
              return story.lose(error.message);
            },
          );
          for (const fact of facts) {
            const problems = order.see({ ...fact, at: { receivedWallMs: nowMs } });
            // What a meter may reach is the port's to judge, and it says so.
            assert.deepEqual(
              problems.filter((problem) => !/energyMwh|powerMw/.test(problem)),
              [],
            );
          }
        }
      }),
      { numRuns: 200 },
    );
  });
}

test('any data is a map, or is refused as one', () => {
  const registers = fc.dictionary(fc.constantFrom('vehicle', 'power', 'x y', '__proto__'), fc.anything());
  const nearly = fc.record(
    {
      name: fc.string(),
      sources: fc.array(fc.string()),
      registers,
      state: fc.array(fc.anything()),
      cap: fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), nearly), (value) => {
      try {
        planReads(checkMap('any', value));
      } catch (error) {
        assert.ok(
          error instanceof FirmwareError && error.code === 'invalid_file' && error.hint !== '',
          String(error),
        );
      }
    }),
  );
});
