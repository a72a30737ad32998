/** What is written down of firmware names nobody, and tells the same story as what came in. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import {
  createEverestRecorder,
  createGbt27930Recorder,
  createOcppRecorder,
  RECORDINGS,
  type EverestLinkHandlers,
  type Recorder,
  type RecordingFormat,
} from '../../firmware-bridge/index.ts';
import { createMask } from '../../firmware-bridge/record/mask-values.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { readAll, storiesOf } from '../conformance/firmware-stories.ts';
import { sharedData } from '../shared-data.ts';

const STAYS = join(import.meta.dirname, '../conformance/recordings');
type Ocpp = 'ocpp16' | 'ocpp201';

/** What a recorder writes. */
class Written {
  readonly lines: string[] = [];
  readonly links: string[] = [];
  readonly problems: string[] = [];
  readonly line = (text: string): unknown => this.lines.push(text);
  readonly link = (text: string): unknown => this.links.push(text);
  readonly problem = (why: string): unknown => this.problems.push(why);

  /** The stories that it tells when it is replayed. */
  async stories(t: TestContext, format: RecordingFormat) {
    const folder = mkdtempSync(join(tmpdir(), 'plugpool-record-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'recording.jsonl');
    writeFileSync(file, `${this.lines.join('\n')}\n`);
    writeFileSync(join(folder, 'recording.links.jsonl'), this.links.map((link) => `${link}\n`).join(''));
    return storiesOf(await readAll(RECORDINGS[format], file));
  }
}

function jsonLines(file: string): Record<string, unknown>[] {
  const text = readFileSync(file, 'utf8').trim();
  return text.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** A relay that tells these lines and no more. */
function tapOf(lines: readonly object[]): Duplex {
  const tap = new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() });
  for (const line of lines) tap.push(`${JSON.stringify(line)}\n`);
  return tap;
}

async function recordTap(lines: readonly object[], format: Ocpp): Promise<Written> {
  const written = new Written();
  const stop = new AbortController();
  const subprotocols = format === 'ocpp16' ? (['ocpp1.6'] as const) : (['ocpp2.0.1'] as const);
  const tap = tapOf(lines);
  const recorder = createOcppRecorder({ tapPath: 'x', subprotocols, connect: () => tap });
  const run = recorder.run(written, stop.signal);
  while (tap.readableLength > 0) await new Promise(setImmediate);
  stop.abort();
  assert.equal(await run, 'aborted');
  return written;
}

const HELLO = { t: 'hello', version: 1, relayBootId: 'b', allow: [] };

/** As the relay would have told it live. */
function tapLinesOf(file: string, format: Ocpp): object[] {
  const subprotocol = format === 'ocpp16' ? 'ocpp1.6' : 'ocpp2.0.1';
  const told = jsonLines(file).map(({ at, from, frame }) => ({
    t: 'frame',
    pile: 'pile',
    from,
    atWallMs: Date.parse(String(at)),
    text: JSON.stringify(frame),
  }));
  const links = linksOf(file).map(({ at, event }) => ({
    t: 'pile',
    pile: 'pile',
    atWallMs: Date.parse(String(at)),
    link: event === 'open' ? 'up' : 'down',
    subprotocol,
  }));
  const up = { t: 'pile', pile: 'pile', atWallMs: told[0]?.atWallMs ?? 0, link: 'up', subprotocol };
  const all = links.length > 0 ? links : [up];
  return [HELLO, { t: 'recalledAll' }, ...[...all, ...told].sort((a, b) => a.atWallMs - b.atWallMs)];
}

function linksOf(file: string): Record<string, unknown>[] {
  try {
    const links = jsonLines(file.replace(/\.jsonl$/, '.links.jsonl'));
    return links.filter(({ event }) => ['open', 'cut', 'close'].includes(String(event)));
  } catch {
    return [];
  }
}

const OCPP_RECORDINGS: readonly (readonly [Ocpp, string, string | undefined])[] = [
  ...(['ocpp16', 'ocpp201'] as const).flatMap((format) =>
    ['stay', 'stay-link-lost'].map((name) => [format, name, join(STAYS, `${name}.${format}.jsonl`)] as const),
  ),
  ...['ocpp16-normal', 'ocpp16-remote-stop', 'ocpp16-socket-cut', 'ocpp201-normal', 'ocpp201-socket-cut'].map(
    (name) => [name.split('-')[0] as Ocpp, name, sharedData(`firmware/${name}.jsonl`)] as const,
  ),
];

describe('OCPP that is recorded', () => {
  for (const [format, name, file] of OCPP_RECORDINGS)
    it(
      `tells the story of ${name} (${format}) and names no card`,
      {
        skip: file === undefined && 'this machine does not have it',
      },
      async (t) => {
        const path = file ?? '';
        const tokens = [...readFileSync(path, 'utf8').matchAll(/"(?:idTag|idToken)":"([^"]+)"/g)].map(
          ([, id]) => id,
        );
        const written = await recordTap(tapLinesOf(path, format), format);
        assert.deepEqual(written.problems, []);
        assert.deepEqual(
          await written.stories(t, format),
          storiesOf(await readAll(RECORDINGS[format], path)),
        );
        for (const token of tokens) assert.ok(!written.lines.join().includes(String(token)), String(token));
      },
    );

  it('leaves out piles of another version, and what is no frame', async () => {
    const pile = { t: 'pile', pile: 'other', atWallMs: 1, link: 'up', subprotocol: 'ocpp2.0.1' };
    const ours = { ...pile, pile: 'ours', subprotocol: 'ocpp1.6' };
    const frame = { t: 'frame', pile: 'ours', from: 'pile', atWallMs: 2, text: '[2,"1","Heartbeat",{}]' };
    const lines = [
      HELLO,
      pile,
      ours,
      { t: 'recalledAll' },
      { ...frame, pile: 'other' },
      frame,
      { ...frame, text: '{' },
    ];
    const written = await recordTap(lines, 'ocpp16');
    assert.equal(written.lines.length, 1);
    assert.deepEqual(written.problems, ['other speaks ocpp2.0.1', 'a message is no frame of OCPP']);
  });

  it('keeps every type of message that OCPP-J has, and of an error no words', async () => {
    const texts = [
      '[2,"1","Heartbeat",{}]',
      '[3,"1",{"status":"Accepted"}]',
      '[4,"1","InternalError","Anna was here",{}]',
      '[5,"1","FormatViolation","Anna was here",{}]',
      '[6,"2","NotifyPeriodicEventStream",{"id":1}]',
    ];
    const written = await recordTap(
      [
        HELLO,
        { t: 'pile', pile: 'p', atWallMs: 1, link: 'up', subprotocol: 'ocpp2.0.1' },
        { t: 'recalledAll' },
        ...texts.map((text) => ({ t: 'frame', pile: 'p', from: 'pile', atWallMs: 2, text })),
      ],
      'ocpp201',
    );
    assert.deepEqual(
      written.lines.map((line) => JSON.stringify((JSON.parse(line) as { frame: unknown }).frame)),
      texts.map((text) => text.replace('Anna was here', '')),
    );
    assert.deepEqual(written.problems, []);
  });

  it('begins with what the relay remembers, in the order of its times, and takes it once', async () => {
    const pile = { t: 'pile', pile: 'p', atWallMs: 9, upSinceWallMs: 1, link: 'up', subprotocol: 'ocpp1.6' };
    const frame = (atWallMs: number, recalled: boolean) => ({
      ...{ t: 'frame', pile: 'p', from: 'pile', atWallMs, text: `[2,"${atWallMs}","Heartbeat",{}]` },
      ...(recalled ? { recalled } : {}),
    });
    const lines = [
      HELLO,
      pile,
      frame(7, true),
      frame(5, true),
      { t: 'recalledAll' },
      frame(9, false),
      frame(7, true),
    ];
    const { lines: told, links } = await recordTap(lines, 'ocpp16');
    assert.deepEqual(
      told.map((line) => (JSON.parse(line) as { frame: unknown[] }).frame[1]),
      ['5', '7', '9'],
    );
    assert.deepEqual(links, ['{"at":"1970-01-01T00:00:00.001Z","pile":"p","event":"open"}']);
  });
});

describe('EVerest that is recorded', () => {
  for (const name of ['stay', 'stay-link-lost'])
    it(`tells the story of ${name} and names neither card nor car`, async (t) => {
      const file = join(STAYS, `${name}.everest.jsonl`);
      const clock = new SteppedClock(0);
      const written = new Written();
      let handlers: EverestLinkHandlers | undefined;
      const link = {
        start: (_filters: unknown, given: EverestLinkHandlers) => (handlers = given),
        publish: () => assert.fail('it only listens'),
        stop: () => Promise.resolve(),
      };
      const stop = new AbortController();
      const options = { broker: 'mqtt://localhost', modules: ['evse_1_api'], clock, link };
      const run = createEverestRecorder(options).run(written, stop.signal);
      for (const { at, topic, payload } of jsonLines(file)) {
        clock.jumpWall(Date.parse(String(at)) - clock.nowWallMs());
        handlers?.message(String(topic), Buffer.from(JSON.stringify(payload)), false);
      }
      stop.abort();
      await run;
      const text = readFileSync(file, 'utf8');
      assert.deepEqual(
        await written.stories(t, 'everest'),
        storiesOf(await readAll(RECORDINGS.everest, file)),
      );
      for (const [, secret] of text.matchAll(/"(?:value|evcc_id)":"([^"]+)"/g))
        assert.ok(!written.lines.join().includes(String(secret)), secret);
    });
});

async function recordBus(from: string): Promise<Written> {
  const written = new Written();
  const recorder: Recorder = createGbt27930Recorder({ from });
  assert.equal(await recorder.run(written, new AbortController().signal), 'source');
  return written;
}

describe('a DC charger’s bus that is recorded', () => {
  const files = [join(STAYS, 'stay.gbt27930.log'), sharedData('firmware/gbt27930-session.candump.log')];
  for (const file of files)
    it(
      `tells the story of ${file ?? 'the real session'}`,
      { skip: file === undefined && 'not here' },
      async (t) => {
        const path = file ?? '';
        const written = await recordBus(path);
        assert.deepEqual(written.problems, []);
        const stories = storiesOf(await readAll(RECORDINGS.gbt27930, path));
        const told = await written.stories(t, 'gbt27930');
        const withoutVin = JSON.stringify(stories).replaceAll('"credential vin",', '');
        assert.equal(JSON.stringify(told), withoutVin, 'seventeen zeros are no VIN');
      },
    );
});

describe('a value that is masked', () => {
  const mask = createMask();

  it('keeps numbers, times and the words of the protocol', () => {
    const message = {
      timestamp: '2026-03-01T08:00:00.000Z',
      evseId: 1,
      offline: false,
      status: 'SuspendedEV',
      sampledValue: [
        { value: '12.5', measurand: 'Energy.Active.Import.Register', phase: 'L1-N', unit: 'kWh' },
      ],
      idToken: { type: 'ISO14443' },
      nothing: null,
    };
    assert.deepEqual(mask(message), message);
  });

  const secrets = [
    { idTag: 'JOHN' },
    { id_tag: { id_token: { value: 'DEADBEEF', type: 'Local' } } },
    { idToken: { idToken: 'Smith', additionalInfo: [{ additionalIdToken: 'JOHN', type: 'eMAID' }] } },
    { parentIdTag: 12345678 },
    { vin: 'WVWZZZ' },
    { evcc_id: '00:7D:FA:01:02:03' },
    { emaid: 'DEABCC' },
    { certificate: 'MIIB' },
    { iso15118CertificateHashData: [{ issuerNameHash: 'xyzq', serialNumber: '12' }] },
    { data: 'John' },
    { data: { name: 'John', phone: '004912345' } },
    { customData: { vendorId: 'x', driver: 'John' } },
    { info: 'John' },
    { unheardOf: 'WVWZZZ1JZ3W386752' },
    { unheardOf: 'OCMF|{"ID":"JOHN"}|{"SD":"00"}' },
    { WVWZZZ1JZ3W386752$: 1 },
  ];
  for (const secret of secrets)
    it(`has nothing left of ${JSON.stringify(secret)}`, () => {
      const told = JSON.stringify(mask(secret));
      for (const leaf of [
        'JOHN',
        'John',
        'Smith',
        'DEADBEEF',
        '12345678',
        'WVWZZZ',
        '7D:FA',
        'DEABCC',
        'MIIB',
        'xyzq',
        '004912345',
      ])
        assert.ok(!told.includes(leaf), told);
    });

  it('is the same for the same text in one recording, and another in another', () => {
    assert.deepEqual(mask({ idTag: 'A1' }), mask({ idTag: 'A1' }));
    assert.notDeepEqual(mask({ idTag: 'A1' }), mask({ idTag: 'A2' }));
    assert.notDeepEqual(mask({ idTag: 'A1' }), createMask()({ idTag: 'A1' }));
    assert.match(
      String((mask({ evcc_id: '00:7D:FA:01:02:03' }) as { evcc_id: string }).evcc_id),
      /^02(:[0-9a-f]{2}){5}$/,
    );
    assert.ok(String((mask({ idTag: 'A1' }) as { idTag: string }).idTag).length <= 20);
  });

  it('of any form has the same form, and no identity anywhere', () => {
    const SECRET = 'WVWZZZ1JZ3W386752';
    const leaf = fc.oneof(fc.constant(SECRET), fc.integer(), fc.boolean(), fc.constant(null), fc.string());
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('tree')),
        fc.dictionary(fc.string(), tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const told = mask(value);
        assert.ok(!JSON.stringify(told).includes(SECRET));
        assert.equal(Array.isArray(told), Array.isArray(value));
      }),
    );
  });
});
