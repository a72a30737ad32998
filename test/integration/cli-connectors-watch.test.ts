/** `plugpool connectors --watch` says each change of what the firmware says, until it is interrupted. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Writable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { runCli } from '../../agent/cli/program.ts';
import { CLI_CONTRACT } from '../cli-json-contract.ts';
import { plugpool, startPile } from './cli-fixtures.ts';

/** The command with somebody who reads along. */
class Watching extends Writable {
  readonly heard = new EventEmitter();
  readonly pages: string[] = [];
  readonly ended: Promise<number>;
  interrupt: () => void = () => undefined;

  constructor(dataDir: string, ...flags: string[]) {
    super();
    this.ended = runCli(['connectors', '--watch', ...flags], {
      stdout: this,
      stderr: new Writable({ write: (_chunk, _encoding, done) => done() }),
      env: { PLUGPOOL_DATA_DIR: dataDir },
      paint: (_, text) => text,
      onInterrupt: (callback) => {
        this.interrupt = callback;
        return () => (this.interrupt = () => undefined);
      },
    });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.pages.push(chunk.toString());
    this.heard.emit('page');
    done();
  }

  async next(): Promise<string> {
    if (this.pages.length === 0) await once(this.heard, 'page', { signal: AbortSignal.timeout(10_000) });
    return this.pages.shift() ?? '';
  }
}

async function scene(t: TestContext, ...flags: string[]) {
  const pile = await startPile(t);
  return { dataDir: pile.dataDir, watching: new Watching(pile.dataDir, ...flags) };
}

test('each change is one document a line, and Ctrl-C is a good end', async (t) => {
  const { dataDir, watching } = await scene(t, '--json');
  const next = async (): Promise<unknown> => {
    const parsed = CLI_CONTRACT['connectors']?.safeParse(JSON.parse(await watching.next()));
    assert.ok(parsed?.success, parsed?.error?.message);
    const { connectors } = parsed.data as { connectors: { state: string }[] };
    return connectors.map(({ state }) => state);
  };
  assert.deepEqual(await next(), []);
  await plugpool(dataDir, 'firmware', 'plug', '--connector', '1');
  assert.deepEqual(await next(), ['plugged']);
  await plugpool(dataDir, 'firmware', 'charge', '--connector', '1');
  assert.deepEqual(await next(), ['charging']);
  watching.interrupt();
  assert.equal(await watching.ended, 0);
  assert.deepEqual(watching.pages, []);
});

test('people who read no terminal get a table for each change', async (t) => {
  const { dataDir, watching } = await scene(t);
  assert.match(await watching.next(), /no connector was heard of yet/);
  await plugpool(dataDir, 'firmware', 'plug', '--connector', '1', '--soc', '40');
  assert.match(await watching.next(), /station\/1\/1 +plugged in .* 40 %.* heard\n$/);
  watching.interrupt();
  assert.equal(await watching.ended, 0);
});
