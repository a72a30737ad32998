/** The JSON of `plugpool`, verb by verb, as docs/cli-json.md promises it: what is missing, renamed or of another type fails. */
import type { z } from 'zod';
import { ACCOUNTS_JSON } from './cli-json/accounts.ts';
import { AGENT_JSON } from './cli-json/agent.ts';
import { CATALOGUE_JSON } from './cli-json/catalogue.ts';
import { STAYS_JSON } from './cli-json/stays.ts';
import { TASKS_JSON } from './cli-json/tasks.ts';

/** By the words of the command. */
export const CLI_CONTRACT: Readonly<Record<string, z.ZodType>> = {
  ...AGENT_JSON,
  ...STAYS_JSON,
  ...TASKS_JSON,
  ...ACCOUNTS_JSON,
  ...CATALOGUE_JSON,
};
