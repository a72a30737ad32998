/** The relay's configuration: what is wrong is said with its key and what to do; where the tap lies. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import test, { after } from 'node:test';
import { controlSocketPath, defaultDataDir } from '../../agent/config/data-dir.ts';
import { relayConfigSchema } from '../../firmware-bridge/ocpp/relay/relay-config.ts';
import { defaultTapPath, loadRelayConfig } from '../../firmware-bridge/ocpp/relay/load-relay-config.ts';

const folder = mkdtempSync(join(tmpdir(), 'plugpool-relay-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function load(yaml: string) {
  const file = join(folder, 'relay.yaml');
  writeFileSync(file, yaml);
  return loadRelayConfig(file, { XDG_STATE_HOME: '/var/lib' });
}

function problems(yaml: string): string {
  const loaded = load(yaml);
  assert.ok(!loaded.ok, yaml);
  return loaded.problems.map((line) => line.replace(join(folder, 'relay.yaml: '), '')).join('\n');
}

test('an address of the CSMS is all that is needed', () => {
  const loaded = load('upstream: { url: wss://csms.example/ocpp }');
  assert.ok(loaded.ok);
  assert.equal(loaded.config.listen, 'ws://127.0.0.1:9210');
  assert.deepEqual(loaded.config.allow, []);
  assert.equal(loaded.tapPath, '/var/lib/plugpool/ocpp-tap.sock');
});

test('the tap lies beside the socket of the agent, wherever the environment puts that', () => {
  for (const env of [
    { PLUGPOOL_DATA_DIR: '/data' },
    { XDG_STATE_HOME: '/var/lib' },
    { XDG_STATE_HOME: 'relative' },
    {},
  ])
    assert.equal(dirname(defaultTapPath(env)), dirname(controlSocketPath(defaultDataDir(env))));
});

test('paths are meant from the folder of the file, and must be there', () => {
  writeFileSync(join(folder, 'ca.pem'), 'x');
  const loaded = load('upstream: { url: wss://csms.example/ocpp, caFile: ca.pem }\ntap: { path: tap.sock }');
  assert.ok(loaded.ok);
  assert.equal(loaded.tapPath, join(folder, 'tap.sock'));
  assert.equal(
    problems('upstream: { url: wss://csms.example/ocpp, caFile: nowhere.pem }'),
    `upstream.caFile: ${join(folder, 'nowhere.pem')} is not there or may not be read`,
  );
});

const WRONG: Readonly<Record<string, RegExp>> = {
  '': /^upstream: must be the CSMS, as upstream: \{ url: wss:\/\/csms\.example\/ocpp \}, or the word none$/,
  'upstream: maybe': /^upstream: must be the CSMS/,
  'upstream: { url: https://csms.example }': /no address; write ws:\/\/ or wss:\/\//,
  'upstream: { url: wss://user:secret@csms.example/ocpp }': /holds credentials/,
  'upstream: { url: wss://csms.example/ocpp?x=1 }': /must end with its path/,
  'upstream: { url: wss://csms.example, certFile: a }': /upstream: needs both certFile and keyFile/,
  'upstream: { url: wss://csms.example, uurl: 1 }': /^upstream\.uurl: is no setting of the relay$/,
  'upstream: none': /^withoutCsms: must say who may charge/,
  'upstream: none\nwithoutCsms: { idTokens: some, stateFile: s }': /^withoutCsms\.idTokens: .*all/,
  'upstream: { url: wss://csms.example }\npiles: { P1: { upstream: none } }': /^withoutCsms: /,
  'upstream: { url: wss://csms.example }\nlisten: wss://0.0.0.0': /^tls: must name certFile and keyFile/,
  'upstream: { url: wss://csms.example }\nlisten: ws://0.0.0.0/path': /^listen: must have no path/,
  'upstream: { url: wss://csms.example }\ntls: { certFile: a, keyFile: b }': /^listen: must be wss:\/\//,
  'upstream: { url: wss://csms.example }\npiles: { P1: { certCn: SN-1 } }': /^tls: must have clientCaFile/,
  'upstream: { url: wss://csms.example }\nlisten: wss://0.0.0.0\ntls: { certFile: a, keyFile: b, certNamesPile: true }':
    /^tls: must have clientCaFile/,
  'upstream: { url: wss://csms.example }\nallow: [stop]': /^allow\.0: must be cap or /,
  'upstream: { url: wss://csms.example }\npingEveryS: -1': /^pingEveryS: must be at least 0$/,
  'upstream: { url: 7 }': /\(url: must be a string\)$/,
  'upstream: { url: wss://csms.example }\nupstreamAwayCloseS: 601':
    /^upstreamAwayCloseS: must be at most 600$/,
  'upstream: { url: wss://csms.example }\nlisteen: x': /^listeen: is no setting of the relay$/,
  'upstream: [': /flow|sequence|end/i,
};

for (const [yaml, expected] of Object.entries(WRONG))
  test(`${JSON.stringify(yaml)} is refused in words`, () => assert.match(problems(yaml), expected));

const PAGE = readFileSync(join(import.meta.dirname, '../../docs/firmware/ocpp-relay.md'), 'utf8');

test('every configuration in the documentation is one', () => {
  const examples = [...PAGE.matchAll(/^( *)```yaml\n([^]*?)^ *```$/gm)].map(([, , yaml = '']) => yaml);
  assert.equal(examples.length, 2);
  for (const yaml of examples) {
    const here = yaml.replaceAll('/etc/plugpool/', '').replaceAll('/var/lib/plugpool/', '');
    writeFileSync(join(folder, 'cp-0815.password'), 'secret');
    const loaded = load(here);
    assert.ok(loaded.ok, loaded.ok ? '' : loaded.problems.join('\n'));
  }
});

test('every key of the schema is in the documentation', () => {
  for (const key of Object.keys(relayConfigSchema.shape))
    assert.match(PAGE, new RegExp(`\\| \`${key}[.\`]`), key);
});

test('a file that is not there, or is none, is said', () => {
  for (const file of [join(folder, 'nothing.yaml'), folder]) {
    const loaded = loadRelayConfig(file, {});
    assert.match(loaded.ok ? '' : (loaded.problems[0] ?? ''), /there is no such file|is a folder/);
  }
});
