/** A firmware event before anybody heard it: what happened at which connector, without the times. Types only. */
import type { FirmwareEvent } from './port.ts';

type WithoutTimes<Event> = Event extends FirmwareEvent ? Omit<Event, 'at'> : never;

export type FirmwareFact = WithoutTimes<FirmwareEvent>;
