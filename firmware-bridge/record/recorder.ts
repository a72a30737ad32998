/** What writes down what comes in from firmware: one implementation a form. */

export interface RecordSink {
  /** One line of the recording, without its end. */
  line(text: string): void;
  /** What happened to the link, for the file beside the recording; only OCPP has one. */
  link(text: string): void;
  /** Something was not written, or the source is not reached; said again and again, it is counted. */
  problem(why: string): void;
}

/** Only listens, and masks what it hears (`mask-values.ts`, `gbt27930/masked-line.ts`) before it writes it. */
export interface Recorder {
  /** Resolves when the source ended or the signal was aborted; rejects where the source can never be opened. */
  run(sink: RecordSink, signal: AbortSignal): Promise<'source' | 'aborted'>;
}

export function aborted(signal: AbortSignal): Promise<'aborted'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('aborted');
    else signal.addEventListener('abort', () => resolve('aborted'), { once: true });
  });
}
