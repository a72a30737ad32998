/**
 * Vehicles that mean harm, in a process of their own: `URL ATTACK`. Each attack goes on, as fast as it can or as slowly as it must,
 * until standard input ends; `attacks` is said when it has begun. The ids are made up, none is plugged in.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  encodeFrame,
  type Digest,
  type FencingToken,
  type InstanceId,
  type RequestId,
  type TaskRequest,
  type UpBody,
} from '@plugpool/proto';
import {
  connectPacket,
  packet,
  publishPacket,
  RawClient,
  subscribePacket,
  text,
} from '../../test/integration/broker-raw-client.ts';
import { RawVehicle } from '../../test/integration/spine-raw-vehicle.ts';
import type { AttackName } from './attack-names.ts';

const [url = '', name] = process.argv.slice(2);
const port = Number(new URL(url).port);
const over = new AbortController();
let made = 0;

function id(): string {
  made += 1;
  return `hostile-${process.pid}-${made}`;
}

/** So many at a time; one that ends, however, begins anew. */
async function lanes(count: number, act: () => Promise<void>): Promise<void> {
  const lane = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await act().catch(() => undefined);
      await new Promise(setImmediate);
    }
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** Says the same without end to a connection that takes it, as fast as the socket lets it. */
async function flood(vehicle: RawVehicle | RawClient, bytes: () => Buffer): Promise<void> {
  const { socket } = vehicle instanceof RawVehicle ? vehicle.client : vehicle;
  while (!over.signal.aborted && !socket.destroyed) {
    if (socket.write(bytes())) await new Promise(setImmediate);
    else await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closedOf(socket)]);
  }
  socket.destroy();
}

function closedOf(socket: RawClient['socket']): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

/** A frame of that vehicle, as a PUBLISH at QoS 0. */
function said(vehicle: RawVehicle, ...bodies: readonly UpBody[]): Buffer {
  const frame = encodeFrame(bodies.map((body, index) => ({ correlationId: index + 1, body })));
  return publishPacket(topicOf(vehicle), frame, 0, 0);
}

function topicOf({ name: { vehicleId, slot } }: RawVehicle): string {
  return `plugpool/v1/${vehicleId}/${slot}/up/frame`;
}

function asker(): Promise<RawVehicle> {
  return listened(RawVehicle.welcomed(url, `${id()}.ask-1`));
}

/** Reads what it is sent and forgets it. */
async function listened(coming: Promise<RawVehicle>): Promise<RawVehicle> {
  const vehicle = await coming;
  void vehicle.hear('deploy').catch(() => undefined);
  return vehicle;
}

function requestOf(more: Partial<TaskRequest> = {}): TaskRequest {
  return {
    kind: 'request',
    requestId: id() as RequestId,
    selector: { by: 'type', type: 'echo' },
    input: { where: 'inline', bytes: new Uint8Array(10) },
    args: [],
    ...more,
  };
}

const HELLO: UpBody = { kind: 'hello', clientVersion: '1', held: [], runtimes: [] };
const NOTHING_USED = { cpuMs: 0, wallMs: 0, memoryPeakMib: 0, gpuMs: 0 };
/** Nobody has so much. */
const WANTS = { demand: { memoryMib: 60_000 } };

const ATTACKS: Readonly<Record<AttackName, () => Promise<void>>> = {
  'slow-connect': () =>
    lanes(300, async () => {
      const client = new RawClient(port);
      for (const byte of connectPacket()) {
        client.socket.write(Buffer.from([byte]));
        await delay(1_000, undefined, { signal: over.signal });
      }
    }),
  reconnect: () =>
    lanes(40, async () => {
      const vehicle = await RawVehicle.welcomed(url, `${id()}.ask-1`);
      vehicle.leave();
    }),
  crowd: async () => {
    // As many as are let in, which then say nothing.
    for (let i = 0; i < 100; i += 1) {
      const vehicleId = id();
      const slots = Array.from({ length: 20 }, (_, slot) => `${vehicleId}.ask-${slot + 1}`);
      await Promise.allSettled(slots.map((slot) => RawVehicle.connect(url, slot)));
    }
    await delay(1e9, undefined, { signal: over.signal }).catch(() => undefined);
  },
  subscriptions: () =>
    lanes(20, async () => {
      const vehicle = await asker();
      const { vehicleId } = vehicle.name;
      const filters = Array.from({ length: 60 }, (_, i) => [
        text(`plugpool/v1/${vehicleId}/x${i}/#`),
        Buffer.of(1),
      ]);
      const many = packet(0x82, Buffer.of(0, 9), ...filters.flat());
      await flood(vehicle, () => many);
    }),
  'qos-2': () =>
    lanes(40, async () => {
      const vehicle = await RawVehicle.connect(url, `${id()}.ask-1`);
      vehicle.client.send(publishPacket(topicOf(vehicle), 'x', 1, 4), packet(0x62, Buffer.of(0, 1)));
      await vehicle.client.closed;
    }),
  'retained-and-wills': () =>
    lanes(40, async () => {
      const will = new RawClient(port);
      will.send(connectPacket({ clientId: `${id()}.lend`, will: true }));
      await will.closed;
      const vehicle = await RawVehicle.connect(url, `${id()}.ask-1`);
      vehicle.client.send(publishPacket(topicOf(vehicle), 'x', 1, 3));
      await vehicle.client.closed;
    }),
  pings: () =>
    lanes(20, async () => {
      const block = Buffer.concat(Array.from({ length: 2_000 }, () => packet(0xc0)));
      await flood(await asker(), () => block);
    }),
  rubbish: () =>
    lanes(20, async () => {
      const vehicle = await asker();
      const frame = publishPacket(topicOf(vehicle), randomBytes(200_000), 0, 0);
      await flood(vehicle, () => frame);
    }),
  'bad-bodies': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      // 256 bodies, each of which is refused for itself.
      const body = Buffer.of(0x08, 1, 0x52, 0);
      const frame = Buffer.concat(
        Array.from({ length: 256 }, () => Buffer.concat([Buffer.of(0x0a, body.length), body])),
      );
      await flood(vehicle, () => publishPacket(topicOf(vehicle), frame, 0, 0));
    }),
  hellos: () =>
    lanes(20, async () => {
      const vehicle = await asker();
      const frame = said(vehicle, ...Array.from({ length: 200 }, () => HELLO));
      await flood(vehicle, () => frame);
    }),
  'unknown-algorithms': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      const input = { where: 'inline', bytes: new Uint8Array(60_000) } as const;
      await flood(vehicle, () =>
        said(vehicle, requestOf({ input, selector: { by: 'type', type: 'nothing' } })),
      );
    }),
  'requests-and-cancels': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      await flood(vehicle, () => {
        const asked = requestOf({ wants: WANTS });
        const { requestId } = asked;
        return said(vehicle, asked, { kind: 'cancel', which: { by: 'request', requestId } });
      });
    }),
  'tasks-for-ever': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      await flood(vehicle, () =>
        said(vehicle, ...Array.from({ length: 50 }, () => requestOf({ wants: WANTS }))),
      );
    }),
  'needs-and-constraints': () =>
    lanes(40, async () => {
      const vehicle = await asker();
      await flood(vehicle, () =>
        said(vehicle, requestOf({ wants: { ...WANTS, constraint: `donor.memoryMib > ${made}` } })),
      );
    }),
  explanations: () =>
    lanes(20, async () => {
      const vehicle = await asker();
      vehicle.say(requestOf({ wants: WANTS }));
      const frame = said(
        vehicle,
        ...Array.from({ length: 100 }, (): UpBody => ({ kind: 'statusQuery', deliver: true, explain: true })),
      );
      await flood(vehicle, () => frame);
    }),
  'uploads-never-sent': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      await flood(vehicle, () => {
        const blob = { digest: randomBytes(32).toString('hex') as Digest, sizeBytes: 64 * 1024 * 1024 };
        return said(vehicle, requestOf({ input: { where: 'blob', blob } }));
      });
    }),
  'pulls-of-nothing': () =>
    lanes(20, async () => {
      const vehicle = await asker();
      const digest = '0'.repeat(64) as Digest;
      const pull: UpBody = { kind: 'blobPull', digest, offset: 0, length: 1_000 };
      const frame = encodeFrame(Array.from({ length: 200 }, () => ({ correlationId: 1, body: pull })));
      const topic = topicOf(vehicle).replace('/frame', '/blob');
      await flood(vehicle, () => publishPacket(topic, frame, 0, 0));
    }),
  'results-of-nothing': () =>
    lanes(20, async () => {
      // Of a task that there is, so that the disk is asked for each: its own, which waits for ever.
      const vehicle = await RawVehicle.welcomed(url, `${id()}.ask-1`);
      vehicle.say(requestOf({ wants: WANTS }));
      const { taskId } = await vehicle.hear('accepted');
      void vehicle.hear('deploy').catch(() => undefined);
      let token = 0;
      const result = (): UpBody => {
        token += 1;
        const lease = { instanceId: `${taskId}_0` as InstanceId, fencingToken: token as FencingToken };
        const output = { where: 'inline', bytes: new Uint8Array(10) } as const;
        return { kind: 'result', lease, used: NOTHING_USED, outcome: { ok: true, output } };
      };
      await flood(vehicle, () => said(vehicle, ...Array.from({ length: 200 }, result)));
    }),
  claims: () =>
    lanes(20, async () => {
      const vehicle = await listened(RawVehicle.welcomed(url, `${id()}.lend`));
      const claims = Array.from({ length: 200 }, (_, i): UpBody => {
        return { kind: 'connectorClaim', connector: String(i + 1), code: '123456' };
      });
      await flood(vehicle, () => said(vehicle, ...claims));
    }),
  reports: () =>
    lanes(20, async () => {
      const vehicle = await listened(RawVehicle.lending(url, id()));
      let turn = 0;
      await flood(vehicle, () => {
        turn += 1;
        return said(vehicle, {
          kind: 'capacity',
          lendable: { cpuMillicores: (turn % 4) * 1_000, memoryMib: 4_096, gpus: [] },
          lending: turn % 2 === 0,
          reason: '',
          cachedImages: [],
          allowedAlgorithms: [],
          chargingOnly: false,
          constraint: `request.runS > ${turn}`,
        });
      });
    }),
  'names-of-all-kinds': () =>
    lanes(40, async () => {
      const names = ['🚗', 'a/b', '#', '__proto__.lend', 'a\0b', 'x'.repeat(3_000), '‮.ask-1', 'é.lend'];
      for (const clientId of names) {
        const client = new RawClient(port);
        client.send(connectPacket({ clientId }), subscribePacket('#'));
        await client.closed;
      }
    }),
  'never-reads': () =>
    lanes(40, async () => {
      const vehicle = await RawVehicle.welcomed(url, `${id()}.ask-1`);
      vehicle.client.socket.pause();
      const frame = said(
        vehicle,
        ...Array.from({ length: 200 }, () => requestOf({ requestId: 'same' as RequestId })),
      );
      await flood(vehicle, () => frame);
    }),
};

process.stdin.once('end', () => {
  over.abort();
  setTimeout(() => process.exit(0), 200);
});
process.stdin.resume();
process.stdout.write('attacks\n');
await ATTACKS[name as AttackName]();
process.exit(0);
