/** The relay's configuration: one strict schema, each key with its default and its bounds (docs/firmware/ocpp-relay.md). */
import { z } from 'zod';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

const path = z.string().min(1).max(4096);

/** What the relay dials, or listens on: no credentials in it, they would be logged. */
function webSocketUrl(isListen: boolean) {
  return z.string().superRefine((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const example = isListen ? 'ws://0.0.0.0:9210' : 'wss://csms.example/ocpp';
    if (url === undefined || !['ws:', 'wss:'].includes(url.protocol))
      context.addIssue(
        `${JSON.stringify(text.slice(0, 80))} is no address; write ws:// or wss://, as ${example}`,
      );
    else if (url.username !== '' || url.password !== '')
      context.addIssue('holds credentials; the pile has its own, and they are passed on');
    else if (url.search !== '' || url.hash !== '')
      context.addIssue(`must end with its path, as ${example}: the identity of the pile comes behind it`);
    else if (isListen && url.pathname !== '/')
      context.addIssue(
        `must have no path, as ${example}: whatever the pile writes before its identity is accepted`,
      );
  });
}

const upstreamSchema = z.union([
  z.literal('none'),
  z.strictObject({
    url: webSocketUrl(false),
    connectWithinS: z.number().min(0.1).max(60).default(10),
    caFile: path.optional(),
    certFile: path.optional(),
    keyFile: path.optional(),
  }),
]);

const pileSchema = z.strictObject({
  upstream: upstreamSchema.optional(),
  passwordFile: path.optional(),
  certCn: z.string().min(1).max(255).optional(),
});

export const relayConfigSchema = z
  .strictObject({
    listen: webSocketUrl(true).default('ws://127.0.0.1:9210'),
    tls: z
      .strictObject({
        certFile: path,
        keyFile: path,
        clientCaFile: path.optional(),
        certNamesPile: z.boolean().default(false),
      })
      .optional(),
    upstream: upstreamSchema,
    piles: z.record(z.string().min(1).max(255), pileSchema).default({}),
    unlistedPiles: z.enum(['relay', 'refuse']).default('relay'),
    upstreamAwayCloseS: z.number().min(0).max(600).default(0),
    pingEveryS: z.number().min(0).max(3_600).default(30),
    frameKib: z.int().min(16).max(16_384).default(1_024),
    pilesMax: z.int().min(1).max(2_000).default(500),
    allow: z.array(z.enum(['cap', 'credit', 'text'])).default([]),
    withoutCsms: z
      .strictObject({
        idTokens: z.union([z.literal('all'), z.array(z.string().min(1).max(255)).max(10_000)]),
        heartbeatEveryS: z.int().min(10).max(86_400).default(300),
        stateFile: path,
      })
      .optional(),
    tap: z.strictObject({ path: path.optional() }).prefault({}),
    logLevel: z.enum(LOG_LEVELS).default('info'),
  })
  .superRefine((config, context) => {
    const isSecure = config.listen.startsWith('wss:');
    if (isSecure && config.tls === undefined)
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: 'must name certFile and keyFile, since listen is wss://',
      });
    if (!isSecure && config.tls !== undefined)
      context.addIssue({ code: 'custom', path: ['listen'], message: 'must be wss://, since tls is given' });
    const wantsNames =
      config.tls?.certNamesPile === true ||
      Object.values(config.piles).some(({ certCn }) => certCn !== undefined);
    if (wantsNames && config.tls?.clientCaFile === undefined)
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message:
          'must have clientCaFile, since certNamesPile or certCn is given: without it no pile shows a certificate',
      });
    const upstreams = [config.upstream, ...Object.values(config.piles).map(({ upstream }) => upstream)];
    if (upstreams.includes('none') && config.withoutCsms === undefined)
      context.addIssue({
        code: 'custom',
        path: ['withoutCsms'],
        message:
          'must say who may charge (idTokens) and where transaction ids are kept (stateFile), since upstream is none',
      });
    for (const upstream of upstreams)
      if (
        typeof upstream === 'object' &&
        (upstream.certFile === undefined) !== (upstream.keyFile === undefined)
      )
        context.addIssue({
          code: 'custom',
          path: ['upstream'],
          message: 'needs both certFile and keyFile, or neither',
        });
  });

export type RelayConfig = z.output<typeof relayConfigSchema>;
export type Upstream = z.output<typeof upstreamSchema>;
