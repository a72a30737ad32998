/** What a vehicle's connection writes, and when: an acknowledgement alone is in no hurry, and is never kept for good. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { MqttLink } from '../../vehicle-client/adapters/link-mqtt.ts';
import type { Clock } from '../../vehicle-client/ports.ts';
import { hears, named, startBroker } from './broker-raw-client.ts';

const CAR = named('car.lend');
const PUBACK = 0x40;

/** A clock whose timers run when the test says so. */
class HandClock implements Clock {
  readonly callbacks: (() => void)[] = [];

  monoMs(): number {
    return 0;
  }

  wallMs(): number {
    return 0;
  }

  localTime(): never {
    throw new Error('nobody asks a link for the time of day');
  }

  setTimer(_delayMs: number, callback: () => void): () => void {
    this.callbacks.push(callback);
    return () => void this.callbacks.splice(this.callbacks.indexOf(callback) >>> 0, 1);
  }
}

/** A link to a broker, and the pieces in which its bytes leave. */
async function scene(t: TestContext, heard: (link: MqttLink) => void) {
  const started = await startBroker(t);
  const pieces: Buffer[] = [];
  const sockets: Socket[] = [];
  const relay = createServer((socket) => {
    const onward = connect({ port: started.port, host: '127.0.0.1', noDelay: true });
    sockets.push(socket, onward);
    for (const each of [socket, onward]) each.on('error', () => undefined);
    socket.on('data', (piece) => {
      pieces.push(piece);
      relay.emit('piece');
    });
    socket.pipe(onward).pipe(socket);
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const clock = new HandClock();
  const { port } = relay.address() as AddressInfo;
  const link = new MqttLink({
    agentUrl: `mqtt://127.0.0.1:${port}`,
    vehicleId: CAR.vehicleId,
    slot: CAR.slot,
    clock,
  });
  link.start({ up: () => undefined, down: () => undefined, message: () => heard(link) });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    relay.close();
  });
  await hears(started, 'connected car.lend');
  pieces.length = 0;
  const nextPiece = async (): Promise<Buffer> => {
    if (pieces.length === 0) await once(relay, 'piece');
    return pieces.shift() as Buffer;
  };
  return { broker: started.broker, clock, link, nextPiece };
}

test('an acknowledgement leaves in one piece with what the vehicle says next', async (t) => {
  const {
    broker,
    link: ours,
    nextPiece,
  } = await scene(t, (link) => {
    // Not in the turn of the event loop in which the message came.
    setImmediate(() => setImmediate(() => link.send('frame', Buffer.from('answer'))));
  });
  broker.send(CAR.clientId, 'frame', Buffer.from('question'));
  const piece = await nextPiece();
  assert.equal(piece[0], PUBACK);
  assert.ok(piece.includes('answer'));
  await ours.stop();
});

test('an acknowledgement that the vehicle has nothing to say with leaves when its delay is over', async (t) => {
  const { broker, clock, link, nextPiece } = await scene(t, () => undefined);
  const timersBefore = clock.callbacks.length;
  broker.send(CAR.clientId, 'frame', Buffer.from('a statement'));
  while (clock.callbacks.length === timersBefore) await new Promise(setImmediate);
  clock.callbacks.at(-1)?.();
  assert.equal((await nextPiece())[0], PUBACK);
  await link.stop();
});
