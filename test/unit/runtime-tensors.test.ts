/** The tensor container: what is encoded comes back, and nothing else is accepted. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeTensors,
  encodeTensors,
  float32Tensor,
  float32Values,
  int64Tensor,
  TensorError,
  uint8Tensor,
} from '../../vehicle-client/runtimes/onnx/tensors.ts';
import type { NamedTensor } from '../../vehicle-client/runtimes/onnx/tensors.ts';

const float32 = fc
  .tuple(
    fc.string({ minLength: 1, maxLength: 20 }),
    fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }),
  )
  .chain(([name, dims]) => {
    const count = dims.reduce((product, dim) => product * dim, 1);
    const elements = fc.array(fc.float(), { minLength: count, maxLength: count });
    return elements.map((values) => float32Tensor(name.toWellFormed(), dims, values));
  });
const several = fc.uniqueArray(float32, { maxLength: 4, selector: (tensor) => tensor.name });

const refuses = (bytes: Uint8Array, message: RegExp) =>
  assert.throws(
    () => decodeTensors(bytes),
    (error: Error) => error instanceof TensorError && message.test(error.message),
  );

describe('the tensor container', () => {
  it('has the documented bytes', () => {
    const bytes = encodeTensors([float32Tensor('x', [1, 2], [1, -2])]);
    const expected = [
      '50505431',
      '01000000',
      '0100',
      '78',
      '01',
      '02',
      '01000000',
      '02000000',
      '0000803f',
      '000000c0',
    ];
    assert.equal(Buffer.from(bytes).toString('hex'), expected.join(''));
  });

  it('gives back what was put in, whatever the names, shapes and values', () => {
    fc.assert(
      fc.property(several, (tensors) => {
        assert.deepEqual(decodeTensors(encodeTensors(tensors)), tensors);
      }),
    );
  });

  it('keeps NaN, scalars and tensors without elements', () => {
    const tensors = [
      float32Tensor('scalar', [], [NaN]),
      int64Tensor('none', [0, 7], []),
      uint8Tensor('b', [1], [255]),
    ];
    const decoded = decodeTensors(encodeTensors(tensors));
    assert.deepEqual(decoded, tensors);
    assert(Number.isNaN(float32Values(decoded[0]!)[0]));
  });

  it('reads from a view into a larger buffer', () => {
    const bytes = encodeTensors([float32Tensor('x', [1], [7])]);
    const shifted = Buffer.concat([Buffer.from([1, 2, 3]), bytes, Buffer.from([4])]).subarray(
      3,
      3 + bytes.byteLength,
    );
    assert.deepEqual([...float32Values(decodeTensors(shifted)[0]!)], [7]);
  });

  it('refuses a container that is cut anywhere or has a byte too many', () => {
    const bytes = encodeTensors([float32Tensor('x', [2], [1, 2]), uint8Tensor('y', [1], [1])]);
    for (let length = 0; length < bytes.byteLength; length += 1)
      refuses(bytes.subarray(0, length), /ends within/);
    refuses(Buffer.concat([bytes, Buffer.from([0])]), /1 bytes follow the last tensor/);
  });

  it('answers any bytes with tensors that encode to the same bytes, or with a TensorError', () => {
    const body = fc.uint8Array({ maxLength: 80 });
    const container = body.map((rest) => Buffer.concat([Buffer.from('PPT1'), rest]));
    fc.assert(
      fc.property(fc.oneof(body, container), (bytes) => {
        let tensors: NamedTensor[];
        try {
          tensors = decodeTensors(bytes);
        } catch (error) {
          assert(error instanceof TensorError, String(error));
          return;
        }
        assert.deepEqual(Buffer.from(encodeTensors(tensors)), Buffer.from(bytes));
      }),
      { numRuns: 3000 },
    );
  });

  it('says what is wrong with a header', () => {
    const tensor = (name: string, dtype: number, rank: number, rest: string) =>
      Buffer.from(
        `50505431010000000${name.length}00${Buffer.from(name).toString('hex')}` +
          Buffer.from([dtype, rank]).toString('hex') +
          rest,
        'hex',
      );
    refuses(Buffer.from('PPT2\0\0\0\0'), /no tensor container/);
    refuses(Buffer.from('5050543100010000', 'hex'), /256 tensors; at most 64/);
    refuses(tensor('x', 8, 0, ''), /tensor "x" has the unknown element type 8/);
    refuses(tensor('x', 1, 9, '00'.repeat(36)), /9 dimensions; at most 8/);
    refuses(tensor('x', 1, 8, 'ffffffff'.repeat(8)), /ends within the elements of tensor "x"/);
    refuses(tensor('x', 9, 0, '02'), /other bytes than 0 and 1/);
    refuses(tensor('', 1, 0, '00000000'), /a name of 0 bytes/);
    refuses(Buffer.from('5050543101000000' + '0100' + 'ff' + '0200' + '00', 'hex'), /no valid UTF-8/);
  });

  it('refuses to encode a tensor whose data do not fit its shape, and two of one name', () => {
    const x = float32Tensor('x', [2], [1, 2]);
    assert.throws(() => encodeTensors([{ ...x, dims: [3] }]), /needs 12 bytes and has 8/);
    assert.throws(() => encodeTensors([{ ...x, dims: [-2] }]), /no unsigned 32-bit number/);
    assert.throws(() => encodeTensors([x, x]), /two tensors are named "x"/);
  });
});
