/** The operator's own questions with their answers: on disk, one row an algorithm. */
import { algorithmKey } from '../algorithms/algorithm-key.ts';
import type { OperatorAnswer, OperatorCommand } from '../events.ts';
import { KNOWN_ANSWER_BYTES_MAX, KNOWN_ANSWERS_GIVEN_MAX } from '../limits.ts';
import type { State } from '../state.ts';
import { write, type Turn } from '../turn.ts';
import { sizeOf, type KnownAnswer } from './known-answers.ts';

const PREFIX = 'checks/';

export function addCheck(
  turn: Turn,
  command: Extract<OperatorCommand, { verb: 'addCheck' }>,
): OperatorAnswer {
  const { state } = turn;
  const { id, args, input, output } = command;
  const versions = [...state.algorithms.values()].filter(
    (each) => each.id === id && (command.version === undefined || each.version === command.version),
  );
  const [algorithm] = versions;
  if (algorithm === undefined)
    return no('algorithm_unknown', `no algorithm ${id} is known here`, 'plugpool algorithms list shows them');
  if (versions.length > 1)
    return no('version_needed', `there are ${versions.length} versions of ${id}`, 'name one with --version');
  if (algorithm.compare === undefined)
    return no('not_supported', `how outputs of ${id} compare is not known`, 'add it again with --compare');
  const answer: KnownAnswer = { args, input, output, owners: [] };
  if (sizeOf(answer) > KNOWN_ANSWER_BYTES_MAX)
    return no(
      'too_large',
      `it has ${sizeOf(answer)} bytes`,
      `give one of ${KNOWN_ANSWER_BYTES_MAX} bytes at most`,
    );
  const key = algorithmKey(algorithm.id, algorithm.version);
  if (!state.answers.give(key, answer))
    return no(
      'too_many_checks',
      `${key} has ${KNOWN_ANSWERS_GIVEN_MAX}`,
      'remove the algorithm and add it anew',
    );
  write(turn, { change: 'putLearned', name: `${PREFIX}${key}`, value: state.answers.given(key).map(toJson) });
  return { ok: true, value: { algorithm: key, checks: state.answers.given(key).length } };
}

function no(code: string, detail: string, hint: string): OperatorAnswer {
  return { ok: false, code, detail, hint };
}

export function forgetAnswers(turn: Turn, key: string): void {
  const hadSome = turn.state.answers.given(key).length > 0;
  turn.state.answers.forget(key);
  if (hadSome) write(turn, { change: 'putLearned', name: `${PREFIX}${key}`, value: null });
}

export function loadAnswers({ answers }: State, learned: ReadonlyMap<string, unknown>): void {
  for (const [name, json] of learned) {
    if (!name.startsWith(PREFIX) || !Array.isArray(json)) continue;
    for (const entry of json as unknown[]) {
      const answer = answerIn(entry);
      if (answer !== undefined) answers.give(name.slice(PREFIX.length), answer);
    }
  }
}

function toJson({ args, input, output }: KnownAnswer): unknown {
  return { args, input: [...input], output: [...output] };
}

/** What is damaged is dropped. */
function answerIn(json: unknown): KnownAnswer | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  const { args, input, output } = json as Record<string, unknown>;
  if (!Array.isArray(args) || !args.every((arg) => typeof arg === 'string')) return undefined;
  if (!isBytes(input) || !isBytes(output)) return undefined;
  return { args, input: Uint8Array.from(input), output: Uint8Array.from(output), owners: [] };
}

function isBytes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((byte) => Number.isInteger(byte) && byte >= 0 && byte < 256);
}
