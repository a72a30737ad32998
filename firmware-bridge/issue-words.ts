/** What a schema finds wrong with a value that somebody wrote, in the words of the project: one way for every file and command. */
import type { z } from 'zod';

/** Of the library, which names its own types; whatever else a schema says was written for who reads it. */
const LIBRARY_SAYS = /^(?:Invalid|Too small|Too big|Unrecognized)\b/;

/** Goes behind the place: `must be at least 0`. */
export function issueInWords(issue: z.core.$ZodIssue): string {
  if (!LIBRARY_SAYS.test(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return tooSmall(issue);
    case 'too_big':
      return tooBig(issue);
    case 'invalid_type':
      return `must be ${article(issue.expected)}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'unrecognized_keys':
      return `must not have ${issue.keys.join(', ')}`;
    case 'invalid_union':
      return 'is none of what it may be';
    case 'invalid_key':
    case 'invalid_element':
      return issue.issues.map(issueInWords).join('; ');
    case 'invalid_format':
      return issue.format === 'regex'
        ? 'is not written as it must be'
        : `must be a text of the form ${issue.format}`;
    default:
      return issue.message;
  }
}

function tooSmall({ origin, minimum, inclusive }: z.core.$ZodIssueTooSmall): string {
  if (origin === 'string' || origin === 'array')
    return Number(minimum) <= 1
      ? 'must not be empty'
      : `must have at least ${minimum} ${origin === 'array' ? 'entries' : 'characters'}`;
  return `must be ${inclusive === false ? 'above' : 'at least'} ${minimum}`;
}

function tooBig({ origin, maximum }: z.core.$ZodIssueTooBig): string {
  if (origin === 'string' || origin === 'array')
    return `must not have more than ${maximum} ${origin === 'array' ? 'entries' : 'characters'}`;
  return `must be at most ${maximum}`;
}

function article(expected: string): string {
  switch (expected) {
    case 'object':
    case 'record':
      return 'a mapping of keys to values';
    case 'int':
      return 'a whole number';
    case 'array':
      return 'a list';
    case 'tuple':
      return 'a list of so many';
    case 'boolean':
      return 'true or false';
    default:
      return `a ${expected}`;
  }
}
