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

function makeCertificate(name: string, authority: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${name}.key`];
  writeFileSync(join(folder, 'san'), 'subjectAltName=IP:127.0.0.1');
  openssl('req', ...key, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
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
const pileTls = () => ({ ca: read('field.pem'), cert: read('pile.pem'), key: read('pile.key') });

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
