/** What is wrong with a configuration: every problem with its place and what to do, all of them at once. */
import { issueInWords } from '@plugpool/firmware-bridge';
import type { z } from 'zod';
import { FIRMWARE_KINDS } from './firmware/firmware-schema.ts';
import { nearestName } from '../core/nearest-name.ts';

export interface ConfigProblem {
  /** The key, with the file, variable or flag that set it. */
  readonly where: string;
  readonly what: string;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(describeProblems(problems));
    this.problems = problems;
  }
}

export function describeProblems(problems: readonly ConfigProblem[]): string {
  const head =
    problems.length === 1
      ? 'the configuration has a problem:'
      : `the configuration has ${problems.length} problems:`;
  return [head, ...problems.map(({ where, what }) => `  ${where}: ${what}`)].join('\n');
}

/** `origin` says who set the value at a path; `keysAt` which keys there are. */
export interface ProblemContext {
  origin(path: readonly PropertyKey[]): string;
  keysAt(path: readonly PropertyKey[]): readonly string[];
}

export function problemsOf(issue: z.core.$ZodIssue, context: ProblemContext): ConfigProblem[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...issue.path, key], context));
  return [problemAt(issue.path, inWords(issue), context)];
}

function unknownKey(path: readonly PropertyKey[], context: ProblemContext): ConfigProblem {
  const known = context.keysAt(path.slice(0, -1));
  const nearest = nearestName(String(path.at(-1)), known);
  const what =
    nearest === undefined
      ? `is no setting; there are ${known.join(', ')}`
      : `is no setting; did you mean ${nearest}?`;
  return problemAt(path, what, context);
}

export function problemAt(
  path: readonly PropertyKey[],
  what: string,
  { origin }: Pick<ProblemContext, 'origin'>,
): ConfigProblem {
  return { where: join(origin(path), dotted(path)), what };
}

export function dotted(path: readonly PropertyKey[]): string {
  return path.map(String).join('.');
}

function join(origin: string, key: string): string {
  // A flag says what it sets.
  if (key === '' || origin.startsWith('--')) return origin;
  return origin === '' ? key : `${origin}: ${key}`;
}

function inWords(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_union' ? `must be ${FIRMWARE_KINDS.join(' or ')}` : issueInWords(issue);
}
