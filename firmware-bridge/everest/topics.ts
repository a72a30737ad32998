/** EVerest's topics: `everest_api/1/<API>/<module>/e2m/<name>` from EVerest, `…/m2e/<name>` to it. */

/** The APIs that are spoken to, each offered by a module of the same type with `_API` behind it. */
export type EverestApi =
  | 'evse_manager_consumer'
  | 'auth_consumer'
  | 'external_energy_limits_consumer'
  | 'ocpp_consumer'
  | 'display_message';

/** As EVerest's configuration file names a module. */
export const MODULE_PATTERN = /^[A-Za-z0-9_-]{1,64}$/;

const ROOT = 'everest_api/1';

export interface EverestTopic {
  readonly api: string;
  readonly module: string;
  /** Of the variable or the answer; an answer has the id of its request behind a slash. */
  readonly name: string;
  readonly request?: string;
}

export function fromEverest(api: EverestApi, module: string, name: string): string {
  return `${ROOT}/${api}/${module}/e2m/${name}`;
}

export function toEverest(api: EverestApi, module: string, name: string): string {
  return `${ROOT}/${api}/${module}/m2e/${name}`;
}

/** What EVerest says; undefined for any other topic. */
export function parseFromEverest(topic: string): EverestTopic | undefined {
  const [root, version, api, module, direction, name, request, ...rest] = topic.split('/', 9);
  if (`${root}/${version}` !== ROOT || direction !== 'e2m' || rest.length > 0) return undefined;
  if (api === undefined || module === undefined || name === undefined) return undefined;
  return { api, module, name, ...(request === undefined ? {} : { request }) };
}

const EVSE_NAMES = [
  'session_event',
  'session_info',
  'ev_info',
  'powermeter',
  'heartbeat',
  'hw_capabilities',
  'evse_id',
];

/** All that is listened to: of each EVSE's module, and of the one that validates tokens. */
export function heardFromEverest(
  modules: readonly string[],
  authModule: string | undefined,
): readonly string[] {
  const ofEvse = (module: string): string[] => [
    ...EVSE_NAMES.map((name) => fromEverest('evse_manager_consumer', module, name)),
    `${fromEverest('evse_manager_consumer', module, 'get_evse')}/+`,
  ];
  const auth =
    authModule === undefined ? [] : [fromEverest('auth_consumer', authModule, 'token_validation_status')];
  return [...modules.flatMap(ofEvse), ...auth];
}
