/** Writes down the bus of a DC charger, as `candump -L` has it. Nothing is ever sent to it. */
import { statSync } from 'node:fs';
import { BoundedLines } from '../bounded-lines.ts';
import { FirmwareError } from '../firmware-error.ts';
import { LINE_CHARS_MAX, parseCandumpLine } from '../gbt27930/candump-line.ts';
import { MaskedLines } from '../gbt27930/masked-line.ts';
import { parseLineSource, type LineSource } from '../gbt27930/line-source.ts';
import { aborted, type Recorder, type RecordSink } from './recorder.ts';

/** `from` as the configuration names it. Throws a `FirmwareError` where it cannot be listened to beside the agent. */
export function createGbt27930Recorder({ from }: { readonly from: string }): Recorder {
  if (statSync(from, { throwIfNoEntry: false })?.isFIFO() === true) {
    throw new FirmwareError(
      'invalid_argument',
      `${from} is a pipe: what is read from it here, the agent does not hear`,
      'Record with candump -L of can-utils, or let the source be a socket that several can listen to',
    );
  }
  const source = parseLineSource(from);
  return { run: (sink, signal) => record(source, sink, signal) };
}

async function record(
  source: LineSource,
  sink: RecordSink,
  signal: AbortSignal,
): Promise<'source' | 'aborted'> {
  const { lines } = await opened(source, signal);
  const masked = new MaskedLines();
  const cut = new BoundedLines(LINE_CHARS_MAX);
  const read = async (): Promise<'source'> => {
    for await (const chunk of lines) for (const line of cut.push(chunk)) take(line, masked, sink);
    for (const line of cut.end()) take(line, masked, sink);
    return 'source';
  };
  // Whoever aborts is not told of the stream that was cut.
  return Promise.race([aborted(signal), read().catch((error: unknown) => ended(error, sink))]);
}

async function opened(source: LineSource, signal: AbortSignal) {
  try {
    return await source.open(signal);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = 'Check firmware[gbt27930].from of the configuration; candump is part of can-utils';
    throw new FirmwareError('invalid_file', `${source.name} cannot be opened: ${why}`, hint, {
      cause: error,
    });
  }
}

function ended(error: unknown, sink: RecordSink): 'source' {
  sink.problem(error instanceof Error ? error.message : String(error));
  return 'source';
}

function take(line: string | undefined, masked: MaskedLines, sink: RecordSink): void {
  const parsed = parseCandumpLine(line);
  if (parsed.kind === 'frame') sink.line(masked.of(parsed.frame));
  else if (parsed.kind === 'unreadable') sink.problem(parsed.why);
}
