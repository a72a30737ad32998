/** Recordings of a GB/T 27930 bus tell what happened: the made-up stay, and a real bus where it is at hand. */
import { join } from 'node:path';
import { RECORDINGS } from '../../firmware-bridge/index.ts';
import { sharedData } from '../shared-data.ts';
import { firmwareStories, theStay } from './firmware-stories.ts';

firmwareStories('gbt27930', RECORDINGS.gbt27930, [
  {
    name: 'the made-up stay',
    file: join(import.meta.dirname, 'recordings/stay.gbt27930.log'),
    stories: theStay({ cannotTell: ['credential', 'transactionStarted', 'transactionEnded'], soc: true }),
  },
  {
    name: 'a real session that its charger ended by falling silent',
    file: sharedData('firmware/gbt27930-session.candump.log'),
    stories: { 'pile/1/1': { story: ['plugged', 'chargingStarted', 'faulted', 'linkLost'], socPct: 97 } },
  },
]);
