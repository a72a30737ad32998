/** The lines of a recording, one after the other, each with its number; a line without end is refused before it is held. */
import { createReadStream } from 'node:fs';
import { BoundedLines } from './bounded-lines.ts';
import { RecordingError } from './recording.ts';

export interface RecordingLine {
  /** From 1 on. */
  readonly number: number;
  readonly text: string;
}

export async function* recordingLines(file: string, charsMax: number): AsyncGenerator<RecordingLine> {
  const lines = new BoundedLines(charsMax);
  let number = 0;
  const numbered = (text: string | undefined): RecordingLine => {
    number += 1;
    if (text === undefined) throw tooLong(number, charsMax);
    return { number, text };
  };
  for await (const chunk of createReadStream(file) as AsyncIterable<Uint8Array>) {
    for (const text of lines.push(chunk)) yield numbered(text);
    if (lines.isTooLong) throw tooLong(number + 1, charsMax);
  }
  for (const text of lines.end()) yield numbered(text);
}

function tooLong(number: number, charsMax: number): RecordingError {
  return new RecordingError(number, `it is longer than ${charsMax} characters`, 'Is it the right file?');
}
