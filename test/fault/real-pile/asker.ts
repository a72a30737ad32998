/**
 * A vehicle that asks, as a process that can be killed at its crash points: `URL DIR VEHICLE NAME…`. Its application does what
 * docs/sdk.md advises: it names its requests itself, stores a result under that name before it says that it is safe, and after a
 * fall asks again for whatever it cannot be sure of. It ends when all results are stored and acknowledged.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connectRequester, type Requester } from '@plugpool/vehicle-client';
import type { DownBody, UpBody } from '@plugpool/proto';
import { pass, type RequesterPoint } from '../crash/crash-points.ts';
import { recordTo } from './history-file.ts';
import { recordedLink } from './recorded-link.ts';

const HEARD: Readonly<Partial<Record<DownBody['kind'], RequesterPoint>>> = { accepted: 'acceptance heard' };
const LEFT: Readonly<Partial<Record<UpBody['kind'], RequesterPoint>>> = {
  request: 'request sent',
  deliveryAck: 'result said safe',
};

const [url = '', dir = '', vehicleId = '', ...names] = process.argv.slice(2);
const record = recordTo(path.join(dir, `${vehicleId}.history`));
const link = recordedLink(
  { url, vehicleId, slot: 'ask-1', token: `the-token-of-${vehicleId}` },
  {
    record: (entry) => {
      record(entry);
      const point = entry.way === 'heard' ? HEARD[entry.body.kind] : undefined;
      if (point !== undefined) pass(point);
    },
    left: (body) => {
      const point = LEFT[body.kind];
      if (point !== undefined) pass(point);
    },
  },
);
const requester = await connectRequester({ agent: url, vehicleId, dataDir: dir, link, autoAck: false });
await Promise.all(names.map((name) => ask(requester, name)));
await requester.close();

async function ask(client: Requester, name: string): Promise<void> {
  note('asked', name);
  pass('request noted');
  const task = await client.request({ algorithm: 'slow', input: name, requestId: name });
  const result = await task.result;
  note('handed-over', name);
  pass('result handed over');
  const file = path.join(dir, `${name}.result`);
  // Its name tells a result that was stored before the last fall.
  if (!existsSync(file)) writeFileSync(file, result.output, { flag: 'wx' });
  pass('result stored');
  result.acknowledge();
}

function note(what: string, name: string): void {
  appendFileSync(path.join(dir, `${vehicleId}.${what}`), `${name}\n`);
}
