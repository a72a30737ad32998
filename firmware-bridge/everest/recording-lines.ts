/** The lines of a recording, one after the other, each with its number; a line without end is refused before it is held. */
import { createReadStream } from 'node:fs';
import { RecordingError } from '../recording.ts';

export interface RecordingLine {
  /** From 1 on. */
  readonly number: number;
  readonly text: string;
}

export async function* recordingLines(file: string, charsMax: number): AsyncGenerator<RecordingLine> {
  let rest = '';
  let number = 0;
  for await (const chunk of createReadStream(file, 'utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const text of lines) yield { number: ++number, text: checked(text, number, charsMax) };
    checked(rest, number + 1, charsMax);
  }
  if (rest !== '') yield { number: number + 1, text: checked(rest, number + 1, charsMax) };
}

function checked(text: string, number: number, charsMax: number): string {
  if (text.length <= charsMax) return text.endsWith('\r') ? text.slice(0, -1) : text;
  throw new RecordingError(number, `it is longer than ${charsMax} characters`, 'Is it the right file?');
}
