/** What a request may want, a donor may be told and a wait may be explained by: what is refused, what older peers' bytes mean. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CONSTRAINT_BYTES_MAX,
  DEPLOYED_IMAGES_MAX,
  FRAME_BYTES_MAX,
  INSTANCES_MAX,
  OBSTACLES_MAX,
  TRUSTED_MAKES_MAX,
  WOULD_RUN_MAX,
  decodeDownFrame,
  decodeUpFrame,
  encodeFrame,
} from '@plugpool/proto';
import type { Delivery, Payload, RequestId, StatusReport, TaskId, TaskRequest, Wants } from '@plugpool/proto';
import { assertRefused } from './codec-refusals.ts';
import { block, frameOf, number } from './codec-wire.ts';

const REQUEST = [block(1, 'r-1'), block(3, 'route'), block(6, block(1, 'x'))] as const;
const LEASE = [block(1, 'i-1'), number(2, 5)] as const;
const IMAGE = block(4, block(1, new Uint8Array(32)), number(2, 10));
const DEPLOYED = [block(1, 'route-plan'), block(2, '1.0.0'), number(3, 1), IMAGE] as const;

const wanting = (...fields: readonly Uint8Array[]) => frameOf(block(12, ...REQUEST, block(8, ...fields)));
const demanding = (...fields: readonly Uint8Array[]) => wanting(block(5, ...fields));
const at = (...fields: readonly Uint8Array[]) => wanting(block(1, block(2, ...fields)));

function wantsOf(bytes: Uint8Array): Wants | undefined {
  const decoded = decodeUpFrame(bytes);
  assert.ok(decoded.ok);
  assert.deepEqual(decoded.rejected, []);
  const [envelope] = decoded.envelopes;
  assert.ok(envelope?.body.kind === 'request');
  return envelope.body.wants;
}

describe('a request is refused', () => {
  test('when what it demands is nothing, or negative', () => {
    assertRefused(demanding(number(1, 0)), 'DemandOverride.cpu_millicores: below 1');
    assertRefused(demanding(number(2, 0)), 'DemandOverride.memory_mib: below 1');
    assertRefused(demanding(number(3, 0)), 'DemandOverride.threads: below 1');
    assertRefused(demanding(number(5, 0)), 'DemandOverride.work_mncs: below 1');
    assertRefused(demanding(block(4, number(1, 0))), 'DemandOverride.Gpu.share_millis: below 1');
    assertRefused(demanding(number(1, -1n)), 'DemandOverride.cpu_millicores: above 1024000');
    assertRefused(demanding(block(4, number(1, 1001))), 'DemandOverride.Gpu.share_millis: above 1000');
  });

  test('when it wants no instances, or more than a request may have', () => {
    assertRefused(wanting(number(3, 0)), 'Wants.instances: below 1');
    assertRefused(wanting(number(3, INSTANCES_MAX + 1)), `Wants.instances: above ${INSTANCES_MAX}`);
  });

  test('when its budget is nothing', () =>
    assertRefused(wanting(number(6, 0)), 'Wants.budget_mncs: below 1'));

  test('when it is nowhere on the Earth, or half of where it is, is missing', () => {
    assertRefused(at(number(1, 1_800_000_002), number(2, 0)), 'Point.latitude_e7: beyond ±900000000');
    assertRefused(at(number(1, 1_800_000_001), number(2, 0)), 'Point.latitude_e7: beyond ±900000000');
    assertRefused(at(number(1, 0), number(2, 3_600_000_001)), 'Point.longitude_e7: beyond ±1800000000');
    assertRefused(at(number(1, 0)), 'Point.longitude_e7: missing');
    assertRefused(at(number(2, 0)), 'Point.latitude_e7: missing');
  });

  test('when it says that it is somewhere or trusts somebody, in words that are not known here', () => {
    assertRefused(wanting(block(1, block(99, 'x'))), 'Place.where: missing');
    const neitherOrBoth = 'Trust: one of own_fleet and makes, not both and not neither';
    assertRefused(wanting(block(8, block(99, 'x'))), neitherOrBoth);
    assertRefused(wanting(block(8)), neitherOrBoth);
    assertRefused(wanting(block(8, number(1, 1), block(2, 'Make'))), neitherOrBoth);
  });

  test('when a zone, a payer or a make is not written as a name', () => {
    const what = 'not a name of letters, digits, spaces, dots, _ and -';
    assertRefused(wanting(block(1, block(1, ' north'))), `Place.zone: ${what}`);
    assertRefused(wanting(block(1, block(1, ''))), 'Place.zone: missing');
    assertRefused(wanting(block(7, 'a/b')), `Wants.payer: ${what}`);
    assertRefused(wanting(block(8, block(2, 'one\ntwo'))), `Trust.makes: ${what}`);
    assertRefused(wanting(block(7, 'x'.repeat(65))), 'Wants.payer: above 64 bytes');
  });

  test('when it names too many makes, or its constraint is too long', () => {
    const makes = Array.from({ length: TRUSTED_MAKES_MAX + 1 }, () => block(2, 'Make'));
    assertRefused(wanting(block(8, ...makes)), `Trust.makes: more than ${TRUSTED_MAKES_MAX} entries`);
    const long = 'x'.repeat(CONSTRAINT_BYTES_MAX + 1);
    assertRefused(wanting(block(9, long)), `Wants.constraint: above ${CONSTRAINT_BYTES_MAX} bytes`);
    const report = frameOf(block(11, block(1), block(9, long)));
    assertRefused(report, `CapacityReport.constraint: above ${CONSTRAINT_BYTES_MAX} bytes`);
  });
});

test('a question why everything waits is refused: it is asked of one task', () => {
  assertRefused(frameOf(block(19, number(3, 1))), 'StatusQuery.explain: goes with task_id');
});

describe('from a pile,', () => {
  const offered = (...part: readonly Uint8Array[]) =>
    frameOf(
      block(
        43,
        ...[block(1, ...LEASE), number(2, 9), block(3, 't-1'), block(5, 'a'), block(6, '1'), number(7, 1)],
        ...[block(8, block(1, new Uint8Array(32))), block(10, block(1)), block(11), block(12)],
        ...[block(13, new Uint8Array(16)), block(15, ...part)],
      ),
    );

  test('a part that is not among the parts is refused', () => {
    assertRefused(offered(number(1, 2), number(2, 2)), 'Offer.Part.index: not below count', decodeDownFrame);
    assertRefused(offered(number(2, 0)), 'Offer.Part.count: below 1', decodeDownFrame);
    assertRefused(offered(), 'Offer.Part.count: missing', decodeDownFrame);
    const decoded = decodeDownFrame(offered(number(1, 1), number(2, 2)));
    assert.ok(decoded.ok);
    const [envelope] = decoded.envelopes;
    assert.ok(envelope?.body.kind === 'offer');
    assert.deepEqual(envelope.body.part, { index: 1, count: 2 });
  });

  test('images to keep that are too many, or lack what names them, are refused', () => {
    const many = Array.from({ length: DEPLOYED_IMAGES_MAX + 1 }, () => block(1, ...DEPLOYED));
    const tooMany = `Deploy.images: more than ${DEPLOYED_IMAGES_MAX} entries`;
    assertRefused(frameOf(block(50, ...many)), tooMany, decodeDownFrame);
    const without = (index: number) => frameOf(block(50, block(1, ...DEPLOYED.toSpliced(index, 1))));
    assertRefused(without(0), 'DeployedImage.algorithm_id: missing', decodeDownFrame);
    assertRefused(without(1), 'DeployedImage.version: missing', decodeDownFrame);
    assertRefused(without(2), 'DeployedImage.runtime: missing or unknown', decodeDownFrame);
    assertRefused(without(3), 'DeployedImage.image: missing', decodeDownFrame);
  });

  test('outputs beside a failure are refused', () => {
    const fields = [block(1, 'r-1'), block(2, 't-1'), number(3, 4), block(5, block(1, 'trap'))];
    const both = frameOf(block(47, ...fields, block(12, block(1, 'x'))));
    assertRefused(both, 'Delivery: an output and a failure', decodeDownFrame);
  });

  test('an explanation names its tests by codes', () => {
    const task = [block(1, 't-1'), block(2, 'r-1'), number(4, 1)];
    const told = (test: string) => frameOf(block(49, block(1, ...task, block(9, block(5, block(1, test))))));
    assertRefused(told('No donors!'), 'WaitExplanation.Obstacle.test: not a code', decodeDownFrame);
  });
});

describe('a request', () => {
  test('of an older peer wants nothing, and neither does one whose wants are empty', () => {
    assert.equal(wantsOf(frameOf(block(12, ...REQUEST))), undefined);
    assert.equal(wantsOf(wanting()), undefined);
    assert.equal(wantsOf(wanting(number(2, 0), number(4, 0), block(5), block(7), block(9))), undefined);
  });

  test('from the equator at Greenwich is from there', () => {
    const place = { by: 'point', latitudeE7: 0, longitudeE7: 0 } as const;
    assert.deepEqual(wantsOf(at(number(1, 0), number(2, 0))), { place });
  });

  test('for any GPU says no more than that', () => {
    assert.deepEqual(wantsOf(demanding(block(4))), { demand: { gpu: {} } });
  });
});

describe('what is sent', () => {
  const asked = (wants: Wants): Buffer => {
    const input: Payload = { where: 'inline', bytes: new Uint8Array(1) };
    const request: TaskRequest = {
      kind: 'request',
      requestId: 'r-1' as RequestId,
      selector: { by: 'type', type: 'route' },
      args: [],
      input,
      wants,
    };
    return encodeFrame([{ correlationId: 1, body: request }]);
  };

  test('is never a number that the wire would bend', () => {
    for (const value of [Number.NaN, -1, 0.5, Number.POSITIVE_INFINITY]) {
      assert.throws(() => asked({ demand: { cpuMillicores: value } }), /cpu_millicores: .* cannot be sent/);
      assert.throws(() => asked({ budgetMncs: value }), /Wants\.budget_mncs: .* cannot be sent/);
    }
    for (const latitudeE7 of [Number.NaN, 0.5, 900_000_001, -900_000_001]) {
      const place = { by: 'point', latitudeE7, longitudeE7: 0 } as const;
      assert.throws(() => asked({ place }), /Point\.latitude_e7: .* within ±900000000/);
    }
  });

  test('is never half a constraint', () => {
    const constraint = 'ä'.repeat(CONSTRAINT_BYTES_MAX / 2);
    assert.equal(wantsOf(asked({ constraint }))?.constraint, constraint);
    assert.throws(() => asked({ constraint: `${constraint}x` }), /Wants\.constraint: 2049 bytes/);
  });

  test('fits one message as the outputs of as many instances as a request may have', () => {
    const output: Payload = { where: 'inline', bytes: new Uint8Array(4096).fill(7) };
    const delivery: Delivery = {
      kind: 'delivery',
      requestId: 'r-1' as RequestId,
      taskId: 't-1' as TaskId,
      state: 'completed',
      output,
      outputs: Array.from({ length: INSTANCES_MAX }, () => output),
      attempts: INSTANCES_MAX,
      donor: 'car',
      chargedMncs: 1,
      agreeing: 2,
      algorithmId: 'route-plan',
      algorithmVersion: '1.0.0',
    };
    const frame = encodeFrame([{ correlationId: 1, body: delivery }]);
    assert.ok(frame.length < FRAME_BYTES_MAX / 2);
    const decoded = decodeDownFrame(frame);
    assert.ok(decoded.ok);
    assert.deepEqual(decoded.envelopes[0]?.body, delivery);
  });

  test('is the first of a long explanation, which fits one message', () => {
    const report: StatusReport = {
      kind: 'statusReport',
      tasks: [
        {
          taskId: 't-1' as TaskId,
          requestId: 'r-1' as RequestId,
          algorithmId: 'route-plan',
          state: 'queued',
          attempts: 0,
          progressPermille: 0,
          delivered: false,
          reason: '',
          explanation: {
            summary: 's'.repeat(5000),
            place: 1,
            startInMs: Number.MAX_SAFE_INTEGER,
            wouldRun: Array.from({ length: 100 }, () => 'w'.repeat(5000)),
            obstacles: Array.from({ length: 100 }, (_none, index) => ({ test: `test_${index}`, donors: 9 })),
          },
        },
      ],
      truncated: false,
    };
    const decoded = decodeDownFrame(encodeFrame([{ correlationId: 1, body: report }]));
    assert.ok(decoded.ok);
    const [envelope] = decoded.envelopes;
    assert.ok(envelope?.body.kind === 'statusReport');
    const told = envelope.body.tasks[0]?.explanation;
    assert.equal(told?.wouldRun.length, WOULD_RUN_MAX);
    assert.equal(told.obstacles.length, OBSTACLES_MAX);
    assert.equal(told.summary.length, 1024);
  });
});
