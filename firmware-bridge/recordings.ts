/** Which reader reads which form of recording: one line an adapter. */
import { readGbt27930Recording } from './gbt27930/read-recording.ts';
import { readOcpp16Recording, readOcpp201Recording } from './ocpp/read-recording.ts';
import { readEverestRecording } from './everest/read-recording.ts';
import type { ReadRecording, RecordingFormat } from './recording.ts';
import { readSessionsRecording } from './replay/read-recording.ts';

export const RECORDINGS: Readonly<Record<RecordingFormat, ReadRecording>> = {
  ocpp16: readOcpp16Recording,
  ocpp201: readOcpp201Recording,
  everest: readEverestRecording,
  gbt27930: readGbt27930Recording,
  sessions: readSessionsRecording,
};
