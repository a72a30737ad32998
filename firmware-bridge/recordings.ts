/** Which reader reads which form of recording: one line an adapter. */
import type { ReadRecording, RecordingFormat } from './recording.ts';
import { readSessionsRecording } from './replay/read-recording.ts';

export const RECORDINGS: Readonly<Partial<Record<RecordingFormat, ReadRecording>>> = {
  sessions: readSessionsRecording,
};
