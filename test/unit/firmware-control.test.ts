/** What is done at connectors goes to the adapter that spoke of them last and can, one after the other, and always ends. */
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ControlOutcome, FirmwareAbility, FirmwareAdapter } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import type { Control } from '../../agent/core/effects.ts';
import { CONTROL_WITHIN_MS, CONTROLS_PER_CONNECTOR_MAX } from '../../agent/core/limits.ts';
import type { CreditId } from '../../agent/core/records.ts';
import { FirmwareControls } from '../../agent/firmware-control.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';

const ONE = 'station/1/1' as ConnectorId;
const CAP: Control = { kind: 'setCap', connectorId: ONE, powerMw: 11e6, forMs: 60_000 };
const CLEAR: Control = { kind: 'clearCap', connectorId: ONE };
const TEXT: Control = { kind: 'showText', connectorId: ONE, text: '1234', forMs: 60_000 };

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Writes down what it is asked, and answers when it is told to. */
class WritingAdapter {
  readonly asked: string[] = [];
  readonly #answers: ((outcome: ControlOutcome) => void)[] = [];
  readonly adapter: FirmwareAdapter;

  constructor(...abilities: FirmwareAbility[]) {
    const ask = (what: string): Promise<ControlOutcome> => {
      this.asked.push(what);
      return new Promise((resolve) => this.#answers.push(resolve));
    };
    this.adapter = {
      name: 'writing',
      capabilities: new Set(),
      staleAfterMs: 0,
      control: {
        abilities: new Set(abilities),
        setCap: (_, { powerMw }) => ask(`cap ${powerMw}`),
        clearCap: () => ask('clear'),
        showText: (_, text) => ask(`show ${text}`),
        sendCredit: (_, { id }) => ask(`credit ${id}`),
      },
      start: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    };
  }

  async answer(outcome: ControlOutcome = { ok: true }): Promise<void> {
    this.#answers.shift()?.(outcome);
    await settled();
  }
}

function controls() {
  const clock = new SteppedClock();
  const outcomes: string[] = [];
  const made = new FirmwareControls({
    clock: {
      now: () => ({ monoMs: clock.nowMonoMs(), wallMs: clock.nowWallMs() }),
      setTimer: (delayMs, fire) => clock.setTimer(delayMs, fire),
    },
    creditOf: (id) => Promise.resolve(id === 7 ? { id: 'station/7', body: '{}', signature: '' } : undefined),
    done: ({ kind }, outcome) => outcomes.push(`${kind} ${outcome.ok ? 'ok' : outcome.code}`),
  });
  return { clock, outcomes, made };
}

test('it is asked of the adapter that spoke of the connector last, among those that can', async () => {
  const { made, outcomes } = controls();
  const [caps, texts, reader] = [
    new WritingAdapter('cap'),
    new WritingAdapter('text', 'cap'),
    new WritingAdapter(),
  ];
  for (const { adapter } of [caps, texts, reader]) made.spoke(adapter, ONE);
  made.push(CAP);
  made.push(TEXT);
  await settled();
  await texts.answer();
  await texts.answer();
  made.spoke(caps.adapter, ONE);
  made.push(CLEAR);
  await settled();
  await caps.answer();
  assert.deepEqual(texts.asked, ['cap 11000000', 'show 1234']);
  assert.deepEqual(caps.asked, ['clear']);
  assert.deepEqual(outcomes, ['setCap ok', 'showText ok', 'clearCap ok']);
});

test('where nobody can, or nobody has spoken of the connector yet, that is the outcome', async () => {
  const { made, outcomes } = controls();
  made.push(CAP);
  await settled();
  made.spoke(new WritingAdapter('text').adapter, ONE);
  made.push(CAP);
  await settled();
  assert.deepEqual(outcomes, ['setCap unknown_connector', 'setCap not_enabled']);
});

test('one connector has one thing under way: a cap that is cleared is set before', async () => {
  const { made } = controls();
  const writing = new WritingAdapter('cap');
  made.spoke(writing.adapter, ONE);
  made.push(CAP);
  made.push(CLEAR);
  await settled();
  assert.deepEqual(writing.asked, ['cap 11000000']);
  await writing.answer();
  assert.deepEqual(writing.asked, ['cap 11000000', 'clear']);
});

test('an adapter that never answers, or throws, has an outcome too, and holds nothing back', async () => {
  const { made, outcomes, clock } = controls();
  const writing = new WritingAdapter('cap');
  made.spoke(writing.adapter, ONE);
  made.push(CAP);
  made.push(CLEAR);
  await settled();
  clock.advance(CONTROL_WITHIN_MS);
  await settled();
  assert.deepEqual(outcomes, ['setCap no_answer']);
  assert.equal(writing.asked.length, 2);
  const broken = new WritingAdapter('text');
  const { control } = broken.adapter;
  assert.ok(control);
  control.showText = () => Promise.reject(new Error('broken'));
  made.spoke(broken.adapter, 'station/2/1' as ConnectorId);
  made.push({ ...TEXT, connectorId: 'station/2/1' as ConnectorId });
  await settled();
  assert.deepEqual(outcomes, ['setCap no_answer', 'showText no_answer']);
});

test('what waits for one connector is bounded', async () => {
  const { made, outcomes } = controls();
  const writing = new WritingAdapter('cap');
  made.spoke(writing.adapter, ONE);
  for (let n = 0; n <= CONTROLS_PER_CONNECTOR_MAX; n += 1) made.push(CAP);
  await settled();
  assert.deepEqual(outcomes, ['setCap no_answer']);
});

test('a credit is sent as its signed record; where there is none, nothing is sent', async () => {
  const { made, outcomes } = controls();
  const writing = new WritingAdapter('credit');
  made.spoke(writing.adapter, ONE);
  made.push({ kind: 'sendCredit', connectorId: ONE, creditId: 7 as CreditId });
  await settled();
  assert.deepEqual(writing.asked, ['credit station/7']);
  await writing.answer();
  made.push({ kind: 'sendCredit', connectorId: ONE, creditId: 8 as CreditId });
  await settled();
  assert.deepEqual(outcomes, ['sendCredit ok', 'sendCredit no_answer']);
});

test('what an adapter can is asked when something is to be done: it may be told only later', async () => {
  const { made, outcomes } = controls();
  const late = new WritingAdapter();
  made.spoke(late.adapter, ONE);
  made.push(CAP);
  await settled();
  assert.deepEqual(outcomes, ['setCap not_enabled']);
  const { control } = late.adapter;
  assert.ok(control);
  (control.abilities as Set<FirmwareAbility>).add('cap');
  made.push(CAP);
  await settled();
  assert.deepEqual(late.asked, ['cap 11000000']);
});
