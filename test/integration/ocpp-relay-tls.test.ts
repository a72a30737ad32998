/** The relay between two TLS connections: each side sees the relay's certificate, and the relay asks for theirs. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import test, { after, before, type TestContext } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import { RawPile, refusedWith, startRelay } from './ocpp-relay-scene.ts';

const folder = mkdtempSync(join(tmpdir(), 'plugpool-relay-tls-'));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const skip = hasOpenssl ? false : 'openssl, which makes the certificates, is not installed';
after(() => rmSync(folder, { recursive: true, force: true }));

function openssl(...args: string[]): void {
  const { status, stderr } = spawnSync('openssl', args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

function makeAuthority(name: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  openssl('req', '-x509', ...key, '-subj', `/CN=${name}`, '-days', '1', '-out', `${name}.pem`);
}

function makeCertificate(name: string, authority: string, subject = `/CN=${name}`): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  writeFileSync(join(folder, 'san'), 'subjectAltName=IP:127.0.0.1');
  openssl('req', ...key, '-subj', subject, '-out', `${name}.csr`);
  const by = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-CAcreateserial', '-extfile', 'san'];
  openssl('x509', '-req', '-in', `${name}.csr`, ...by, '-days', '1', '-out', `${name}.pem`);
}

function file(name: string): string {
  return join(folder, name);
}

function read(name: string): Buffer {
  return readFileSync(file(name));
}

before(() => {
  if (!hasOpenssl) return;
  for (const authority of ['field', 'office']) makeAuthority(authority);
  makeCertificate('relay-for-piles', 'field');
  makeCertificate('pile', 'field');
  makeCertificate('two', 'field', '/CN=P1/CN=pile');
  makeCertificate('csms', 'office');
  makeCertificate('relay-for-csms', 'office');
});

/** Asks for a certificate of the office's authority, and says whose it was shown. */
async function startTlsCsms(t: TestContext) {
  const shown: string[] = [];
  const server = createServer({
    cert: read('csms.pem'),
    key: read('csms.key'),
    ca: read('office.pem'),
    requestCert: true,
    rejectUnauthorized: true,
  });
  const webSockets = new WebSocketServer({ server, handleProtocols: () => 'ocpp1.6' });
  webSockets.on('connection', (socket, request) => {
    shown.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
    socket.on('message', (data: Buffer) => socket.send(data.toString()));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of webSockets.clients) socket.terminate();
    server.close();
  });
  return { url: `wss://127.0.0.1:${(server.address() as AddressInfo).port}/ocpp`, shown };
}

const TO_PILES = {
  listen: 'wss://127.0.0.1:0',
  tls: {
    certFile: file('relay-for-piles.pem'),
    keyFile: file('relay-for-piles.key'),
    clientCaFile: file('field.pem'),
  },
};
const TO_CSMS = {
  caFile: file('office.pem'),
  certFile: file('relay-for-csms.pem'),
  keyFile: file('relay-for-csms.key'),
};
const pileTls = (name = 'pile') => ({
  ca: read('field.pem'),
  cert: read(`${name}.pem`),
  key: read(`${name}.key`),
});

test('certificates are the relay’s own on each side, and both sides’ are checked', { skip }, async (t) => {
  const csms = await startTlsCsms(t);
  const { url } = await startRelay(t, { url: csms.url, ...TO_CSMS }, TO_PILES);
  const pile = await new RawPile(t, url, 'P1', pileTls()).open();
  pile.send('["said"]');
  await pile.until('the echo', () => pile.heard.length === 1);
  assert.deepEqual(pile.heard, ['["said"]']);
  assert.deepEqual(csms.shown, ['relay-for-csms']);

  const stranger = new WebSocket(`${url}/P2`, 'ocpp1.6', { ca: read('field.pem') });
  const [error] = (await once(stranger, 'error')) as [NodeJS.ErrnoException];
  assert.match(error.code ?? '', /^(ERR_SSL_|ECONNRESET|EPIPE)/);
  const foreign = { ca: read('field.pem'), cert: read('csms.pem'), key: read('csms.key') };
  const other = new WebSocket(`${url}/P3`, 'ocpp1.6', foreign);
  await once(other, 'error');
  assert.deepEqual(csms.shown, ['relay-for-csms']);
});

test(
  'a CSMS whose certificate is not the right one, or that wants another, is not there',
  { skip },
  async (t) => {
    const csms = await startTlsCsms(t);
    for (const upstream of [
      { ...TO_CSMS, caFile: file('field.pem') },
      { ...TO_CSMS, certFile: file('pile.pem'), keyFile: file('pile.key') },
    ]) {
      const { url } = await startRelay(t, { url: csms.url, ...upstream }, TO_PILES);
      assert.equal((await refusedWith(url, 'P1', pileTls())).status, 503);
    }
    assert.deepEqual(csms.shown, []);
  },
);

test('a certificate is good for the pile that it names, where the operator wants it', { skip }, async (t) => {
  const csms = await startTlsCsms(t);
  const upstream = { url: csms.url, ...TO_CSMS };
  const piles = { P1: { certCn: 'pile' }, P2: { certCn: 'another' } };
  const listed = await startRelay(t, upstream, { ...TO_PILES, piles });
  await new RawPile(t, listed.url, 'P1', pileTls()).open();
  assert.equal((await refusedWith(listed.url, 'P2', pileTls())).status, 403);
  assert.equal((await refusedWith(listed.url, 'P1', pileTls('two'))).status, 403, 'two names are none');
  await new RawPile(t, listed.url, 'P3', pileTls()).open();

  const tls = { ...TO_PILES.tls, certNamesPile: true };
  const named = await startRelay(t, upstream, { ...TO_PILES, tls, piles });
  await new RawPile(t, named.url, 'pile', pileTls()).open();
  await new RawPile(t, named.url, 'P1', pileTls()).open();
  for (const identity of ['P2', 'P3', 'toString'])
    assert.equal((await refusedWith(named.url, identity, pileTls())).status, 403, identity);
  assert.equal(csms.shown.length, 4, 'the CSMS is not asked for those that are refused');
});

test('a TLS session that is taken up again still says whose certificate it was', { skip }, async (t) => {
  const csms = await startTlsCsms(t);
  const tls = { ...TO_PILES.tls, certNamesPile: true };
  const { url } = await startRelay(t, { url: csms.url, ...TO_CSMS }, { ...TO_PILES, tls });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    const sessions: Buffer[] = [];
    const keep = (socket: TLSSocket): void => void socket.on('session', (session) => sessions.push(session));
    const open = async (session?: Buffer): Promise<TLSSocket> => {
      const pile = new RawPile(t, url, 'pile', { ...pileTls(), maxVersion, ...(session && { session }) });
      const [{ socket }] = (await once(pile.socket, 'upgrade')) as [{ socket: TLSSocket }];
      keep(socket);
      pile.send('x');
      await pile.until('an echo', () => pile.heard.length === 1);
      return socket;
    };
    const first = await open();
    const again = await open(sessions[0] ?? first.getSession());
    assert.equal(again.isSessionReused(), true, maxVersion);
  }
});
