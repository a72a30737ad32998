/** Writes down what EVerest says on its own broker, in the form that `read-recording.ts` reads. It publishes nothing. */
import { systemClock, type FirmwareClock } from '../clock.ts';
import type { EverestLink } from '../everest/everest-link.ts';
import { LazyMqttLink } from '../everest/lazy-mqtt-link.ts';
import { heardFromEverest } from '../everest/topics.ts';
import { createMask, type MaskValue } from './mask-values.ts';
import { aborted, type Recorder, type RecordSink } from './recorder.ts';

export interface RecordEverestOptions {
  readonly broker: string;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** EVerest's names of the modules. */
  readonly modules: readonly string[];
  readonly authModule?: string | undefined;
  readonly link?: EverestLink | undefined;
  readonly clock?: FirmwareClock | undefined;
  readonly mask?: MaskValue | undefined;
}

export function createEverestRecorder(options: RecordEverestOptions): Recorder {
  return {
    async run(sink, signal) {
      const { broker, username, password, clock = systemClock, mask = createMask() } = options;
      const link = options.link ?? new LazyMqttLink({ broker, username, password, clock });
      link.start(heardFromEverest(options.modules, options.authModule), {
        up: () => undefined,
        down: (reason) => sink.problem(`EVerest’s broker is not reached: ${reason}`),
        message: (topic, payload, isRetained) => {
          if (!isRetained) write(sink, clock, topic, payload, mask);
        },
      });
      const end = await aborted(signal);
      await link.stop();
      return end;
    },
  };
}

function write(
  sink: RecordSink,
  clock: FirmwareClock,
  topic: string,
  payload: Uint8Array,
  mask: MaskValue,
): void {
  const at = new Date(clock.nowWallMs()).toISOString();
  const value = parsed(payload);
  if (value === undefined) return sink.problem('a payload is no JSON');
  sink.line(JSON.stringify({ at, topic, payload: mask(value) }));
}

function parsed(payload: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(payload).toString('utf8'));
  } catch {
    return undefined;
  }
}
