/**
 * A vehicle that lends, as a process that can be killed at its crash points: `URL DIR VEHICLE RUN_MS PILE_PID`. Where it is to fall with
 * a result in its outbox it stops the pile when it has computed one: who waits for no answer keeps nothing.
 */
import path from 'node:path';
import { pino } from 'pino';
import type { DownBody, Result } from '@plugpool/proto';
import { SqliteOutbox } from '../../../vehicle-client/adapters/outbox-sqlite.ts';
import { armedPoint, pass, type DonorPoint } from '../crash/crash-points.ts';
import { recordTo } from './history-file.ts';
import { startRecordedDonor } from './real-vehicles.ts';
import { SlowRuntime } from './slow-runtime.ts';

const HEARD: Readonly<Partial<Record<DownBody['kind'], DonorPoint>>> = {
  offer: 'offer heard',
  resultAck: 'result acknowledged',
};

passAfter('keep', 'result kept');
passAfter('forget', 'result forgotten');

/** In the outbox of this process, after each such call. */
function passAfter(call: 'keep' | 'forget', point: DonorPoint): void {
  const prototype: Record<typeof call, (this: SqliteOutbox, results: readonly Result[]) => void> =
    SqliteOutbox.prototype;
  const real = prototype[call];
  prototype[call] = function (results) {
    real.call(this, results);
    pass(point);
  };
}

const [url = '', dir = '', vehicleId = '', runMs, pilePid] = process.argv.slice(2);
let hasStoppedPile = false;
const record = recordTo(path.join(dir, `${vehicleId}.history`));
const donor = await startRecordedDonor(
  {
    url,
    dir,
    record: (entry) => {
      record(entry);
      const point = entry.way === 'heard' ? HEARD[entry.body.kind] : undefined;
      if (point !== undefined) pass(point);
    },
    left: (body) => {
      if (body.kind === 'result') pass('result sent');
    },
  },
  vehicleId,
  new SlowRuntime({
    runMs: Number(runMs),
    begun: () => pass('run begun'),
    computed: () => {
      pass('result computed');
      stopPileOnce();
    },
  }),
  pino({ level: 'warn' }),
);
/** Once: the test lets it go on, and then it must answer. */
function stopPileOnce(): void {
  const point = armedPoint();
  if (hasStoppedPile || (point !== 'result kept' && point !== 'result forgotten')) return;
  hasStoppedPile = true;
  process.kill(Number(pilePid), 'SIGSTOP');
}

process.once('SIGTERM', () => {
  void donor.stop().then(() => process.exit(0));
});
