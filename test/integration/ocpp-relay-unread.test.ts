/** A pile without a CSMS that asks and never reads: what waits for it at the relay is bounded, and it gets it all once it does. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { systemClock } from '../../firmware-bridge/clock.ts';
import { UNSENT_BYTES_HIGH } from '../../firmware-bridge/ocpp/relay/limits.ts';
import { LocalCsms } from '../../firmware-bridge/ocpp/relay/local-csms.ts';
import { RelayedPile } from '../../firmware-bridge/ocpp/relay/relayed-pile.ts';
import { SocketPeer } from '../../firmware-bridge/ocpp/relay/socket-peer.ts';

/** What the relay reads at once may still be answered after it stopped to read. */
const OVERSHOOT_BYTES = 512 * 1024;
/** More than the buffers of both ends of a TCP connection take. */
const SPOKEN_BYTES = 48 * 1024 * 1024;
const FRAME_CHARS = 16 * 1024;

const DESK = { heartbeatS: 300, idTokens: 'all', transactionId: () => 1 } as const;

/** A pile without a CSMS, and the relay's own socket to it: that is where what was not read would wait. */
async function startUnread(t: TestContext, onFrame: (from: 'pile' | 'csms', relaySide: WebSocket) => void) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const pile = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    perMessageDeflate: false,
  });
  const [[relaySide]] = (await Promise.all([once(server, 'connection'), once(pile, 'open')])) as [
    [WebSocket],
    unknown,
  ];
  const relayed = new RelayedPile({
    identity: 'P1',
    subprotocol: 'ocpp1.6',
    pile: new SocketPeer(relaySide, 0),
    csms: new LocalCsms('ocpp1.6', DESK, systemClock),
    awayCloseMs: 0,
    redial: () => Promise.reject(new Error('there is none to dial')),
    clock: systemClock,
    onFrame: (from) => onFrame(from, relaySide),
    onUpstream: () => undefined,
    onOver: () => undefined,
  });
  relayed.start();
  t.after(() => {
    pile.terminate();
    relaySide.terminate();
    server.close();
  });
  return pile;
}

test('a pile that asks and never reads is read no further, and is answered once it does', async (t) => {
  const calls = SPOKEN_BYTES / FRAME_CHARS;
  let asked = 0;
  let waitingMax = 0;
  const stopped = Promise.withResolvers<void>();
  const pile = await startUnread(t, (from, relaySide) => {
    if (from === 'pile') asked += 1;
    waitingMax = Math.max(waitingMax, relaySide.bufferedAmount);
    if (relaySide.isPaused || asked === calls) stopped.resolve();
  });
  pile.pause();
  const idOf = (index: number): string => `${index}-`.padEnd(FRAME_CHARS, 'x');
  for (let index = 0; index < calls; index += 1) pile.send(JSON.stringify([2, idOf(index), 'Heartbeat', {}]));
  await stopped.promise;
  assert.ok(asked < calls, 'it is not asked for all that it has to say');

  const answers: string[] = [];
  const answered = Promise.withResolvers<void>();
  pile.on('message', (data: Buffer) => {
    answers.push((JSON.parse(data.toString()) as [number, string])[1]);
    if (answers.length === calls) answered.resolve();
  });
  pile.resume();
  await answered.promise;
  assert.ok(answers.every((id, index) => id === idOf(index)));
  assert.ok(waitingMax < UNSENT_BYTES_HIGH + OVERSHOOT_BYTES, `${waitingMax} bytes waited`);
});
