/** Two requests with one id are the same request when they mean the same: what the hash of a request's meaning tells apart. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RequestId, TaskRequest, Wants } from '@plugpool/proto';
import { hashOfRequest } from '../../agent/inbox.ts';

const request: TaskRequest = {
  kind: 'request',
  requestId: 'r-1' as RequestId,
  selector: { by: 'type', type: 'route' },
  args: ['--fast'],
  input: { where: 'inline', bytes: Uint8Array.of(1, 2, 3) },
  deadlineMs: 60_000,
};
const hashWith = (wants: Wants): string => hashOfRequest({ ...request, wants });

test('a request that wants nothing has the hash that stores of older versions hold', () => {
  assert.equal(hashOfRequest(request), 'a88d682f7b8748730fe09b047ee784877fe91a4feabd1e4e94cc17c6145f684f');
});

test('each thing that a request wants is part of what it means', () => {
  const all: readonly Wants[] = [
    { place: { by: 'zone', zone: 'north' } },
    { place: { by: 'point', latitudeE7: 0, longitudeE7: 1 } },
    { place: { by: 'point', latitudeE7: 1, longitudeE7: 0 } },
    { latencyMs: 5 },
    { instances: 5 },
    { allAtOnce: true },
    { demand: { cpuMillicores: 5 } },
    { demand: { memoryMib: 5 } },
    { budgetMncs: 5 },
    { payer: 'north' },
    { trust: { whom: 'fleet' } },
    { trust: { whom: 'makes', makes: ['a', 'b'] } },
    { trust: { whom: 'makes', makes: ['a b'] } },
    { constraint: 'true' },
  ];
  const hashes = new Set([hashOfRequest(request), ...all.map(hashWith)]);
  assert.equal(hashes.size, all.length + 1);
});

test('the order in which an object was built means nothing', () => {
  const one = hashWith({ latencyMs: 5, demand: { threads: 1, memoryMib: 2 } });
  assert.equal(hashWith({ demand: { memoryMib: 2, threads: 1 }, latencyMs: 5 }), one);
});
