/** Both versions of OCPP tell the made-up stay as every other form of recording does. */
import { join } from 'node:path';
import { RECORDINGS } from '../../firmware-bridge/index.ts';
import { firmwareStories, theStay, theStayWithLinkLost } from './firmware-stories.ts';

const made = (name: string) => join(import.meta.dirname, 'recordings', name);

for (const form of ['ocpp16', 'ocpp201'] as const)
  firmwareStories(form, RECORDINGS[form]!, [
    { name: 'the made-up stay', file: made(`stay.${form}.jsonl`), stories: theStay({ soc: true }) },
    {
      name: 'the made-up stay with a lost link',
      file: made(`stay-link-lost.${form}.jsonl`),
      stories: theStayWithLinkLost({ soc: true, restatesCredential: true }),
    },
  ]);
