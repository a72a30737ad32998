/** The broker with crash points where messages come in, and between the messages that one commit owes to several clients. */
import { decodeUpFrame, type UpBody } from '@plugpool/proto';
import { createAedesBroker as create } from '../../../agent/adapters/broker-aedes/aedes-broker.ts';
import type { AedesBroker } from '../../../agent/adapters/broker-aedes/broker-options.ts';
import type { BrokerHandlers } from '../../../agent/ports.ts';
import { crash, isDue, pass, type CrashPoint } from './crash-points.ts';

export * from '../../../agent/adapters/broker-aedes/aedes-broker.ts';

export function createAedesBroker(options: Parameters<typeof create>[0]): AedesBroker {
  const broker = create(options);
  const [start, send] = [broker.start.bind(broker), broker.send.bind(broker)];
  let sent = 0;
  let isEnding = false;
  const endBatch = (): void => {
    if (sent > 0 && isDue('all sent')) crashWhenItLeft('all sent');
    sent = 0;
  };
  return Object.assign(broker, {
    start: (handlers: BrokerHandlers) => {
      pass('about to listen');
      return start(listening(handlers));
    },
    send: (...args: Parameters<typeof send>) => {
      if (sent === 0) {
        pass('nothing sent');
        // All messages of a commit are sent in one turn.
        queueMicrotask(endBatch);
      } else if (!isEnding && isDue('one sent')) {
        isEnding = true;
        crashWhenItLeft('one sent');
      }
      if (isEnding) return true;
      sent += 1;
      return send(...args);
    },
  } satisfies Partial<AedesBroker>);
}

/** What a connection was handed is written at the end of the turn. */
function crashWhenItLeft(point: CrashPoint): void {
  setImmediate(() => crash(point));
}

function listening(handlers: BrokerHandlers): BrokerHandlers {
  return {
    ...handlers,
    message: (name, kind, payload) => {
      for (const point of pointsOf(payload)) pass(point);
      return handlers.message(name, kind, payload);
    },
  };
}

const POINTS: Readonly<Partial<Record<UpBody['kind'], CrashPoint>>> = {
  request: 'request heard',
  result: 'result heard',
  checkpoint: 'checkpoint heard',
  deliveryAck: 'acknowledgement heard',
};

function pointsOf(payload: Uint8Array): readonly CrashPoint[] {
  const frame = decodeUpFrame(payload);
  return frame.ok ? frame.envelopes.flatMap(({ body }) => POINTS[body.kind] ?? []) : [];
}
