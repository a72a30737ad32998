/** Long messages are put together from what a third party hears, and what never ends costs nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransportReassembly } from '../../firmware-bridge/gbt27930/transport.ts';

const BCP = 0x06;
const BCS = 0x11;

function request(bytes: number, packets: number, format = BCP, control = 16): Uint8Array {
  return Uint8Array.from([control, bytes & 0xff, bytes >> 8, packets, 0xff, 0, format, 0]);
}

function packet(number: number, fill = number): Uint8Array {
  return Uint8Array.from([number, ...Array.from({ length: 7 }, () => fill)]);
}

test('packets in any order and twice make one message, and its filling is cut off', () => {
  const transport = new TransportReassembly();
  transport.control('vehicle', request(13, 2), 0);
  assert.equal(transport.packet('vehicle', packet(2), 10), undefined);
  assert.equal(transport.packet('vehicle', packet(2), 20), undefined);
  const whole = transport.packet('vehicle', packet(1), 30);
  assert.equal(whole?.format, BCP);
  assert.deepEqual([...whole.data], [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2]);
  assert.equal(transport.packet('vehicle', packet(1), 40), undefined);
});

test('charger and vehicle may send at once', () => {
  const transport = new TransportReassembly();
  transport.control('vehicle', request(13, 2), 0);
  transport.control('charger', request(9, 2, BCS), 1);
  transport.packet('vehicle', packet(1, 7), 2);
  transport.packet('charger', packet(1, 9), 3);
  assert.equal(transport.packet('charger', packet(2, 9), 4)?.format, BCS);
  assert.deepEqual([...(transport.packet('vehicle', packet(2, 7), 5)?.data ?? [])], Array(13).fill(7));
});

test('a new request replaces what was under way', () => {
  const transport = new TransportReassembly();
  transport.control('vehicle', request(49, 7), 0);
  transport.packet('vehicle', packet(1), 1);
  transport.control('vehicle', request(9, 2, BCS), 2);
  transport.packet('vehicle', packet(1, 5), 3);
  assert.deepEqual([...(transport.packet('vehicle', packet(2, 5), 4)?.data ?? [])], Array(9).fill(5));
  assert.equal(transport.abandoned, 1);
});

test('a transfer that pauses for longer than the standard lets it is given up', () => {
  const transport = new TransportReassembly();
  transport.control('vehicle', request(9, 2), 0);
  assert.equal(transport.packet('vehicle', packet(1), 1250), undefined);
  assert.equal(transport.packet('vehicle', packet(2), 2501), undefined);
  assert.equal(transport.abandoned, 1);
});

test('either side aborts the message that it names, and no other', () => {
  const transport = new TransportReassembly();
  transport.control('vehicle', request(9, 2, BCS), 0);
  transport.control('charger', request(0, 0, BCP, 255), 1);
  transport.packet('vehicle', packet(1), 2);
  transport.control('charger', request(0, 0, BCS, 255), 3);
  assert.equal(transport.packet('vehicle', packet(2), 4), undefined);
  assert.equal(transport.abandoned, 1);
});

test('a request that cannot be true is not begun', () => {
  const unsound = [
    request(8, 2),
    request(0, 0),
    request(13, 3),
    request(13, 1),
    request(60_000, 255),
    request(13, 2).subarray(0, 7),
    Uint8Array.from([16, 13, 0, 2, 0xff, 1, BCP, 0]),
    request(13, 2, BCP, 32),
  ];
  for (const data of unsound) {
    const transport = new TransportReassembly();
    transport.control('vehicle', data, 0);
    assert.equal(transport.packet('vehicle', packet(1), 1), undefined);
    assert.equal(transport.packet('vehicle', packet(2), 2), undefined);
  }
});

test('a packet that was cut, or that nobody announced, is not believed', () => {
  const transport = new TransportReassembly();
  assert.equal(transport.packet('vehicle', packet(1), 0), undefined);
  transport.control('vehicle', request(9, 2), 0);
  assert.equal(transport.packet('vehicle', packet(1).subarray(0, 4), 1), undefined);
  assert.equal(transport.packet('vehicle', packet(0), 2), undefined);
  assert.equal(transport.packet('vehicle', packet(3), 3), undefined);
  assert.equal(transport.packet('vehicle', packet(2), 4), undefined);
  assert.equal(transport.packet('vehicle', packet(1), 5)?.data.length, 9);
});
