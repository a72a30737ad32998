/** A CSMS in a process of its own that answers every call at once; says its port on standard output. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const csms = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  handleProtocols: () => 'ocpp1.6',
});
csms.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const [, id] = JSON.parse(data.toString()) as [number, string];
    socket.send(`[3,"${id}",{}]`);
  });
});
await once(csms, 'listening');
process.stdout.write(`${(csms.address() as AddressInfo).port}\n`);
// Whoever started it is gone.
process.stdin.on('end', () => process.exit(0)).resume();
