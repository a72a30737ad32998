/** Which reader reads which form of recording: one line an adapter. */
import { readOcpp16Recording, readOcpp201Recording } from './ocpp/read-recording.ts';
import { readEverestRecording } from './everest/read-recording.ts';
import type { ReadRecording, RecordingFormat } from './recording.ts';
import { readSessionsRecording } from './replay/read-recording.ts';

export const RECORDINGS: Readonly<Partial<Record<RecordingFormat, ReadRecording>>> = {
  ocpp16: readOcpp16Recording,
  ocpp201: readOcpp201Recording,
  everest: readEverestRecording,
  sessions: readSessionsRecording,
};
