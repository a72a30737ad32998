/** The operator's `bind` and `unbind`: a credential's value becomes a pseudonym here, and goes no further. */
import { z } from 'zod';
import { credentialFault, parseConnectorId, type Pseudonymize } from '@plugpool/firmware-bridge';
import type { VehicleId } from '@plugpool/proto';
import { CREDENTIAL_CHARS_MAX, CREDENTIAL_KINDS } from './config/credential-kinds.ts';
import { vehicleId } from './control-args.ts';
import { Refusal } from './control-refusal.ts';
import type { OperatorCommand } from './core/events.ts';

const kind = z.enum(CREDENTIAL_KINDS);
export const bindArgs = z.strictObject({
  vehicleId,
  connector: z.string().min(1).max(160).optional(),
  kind: kind.optional(),
  value: z.string().trim().min(1, 'is empty').max(CREDENTIAL_CHARS_MAX).optional(),
  replace: z.boolean().default(false),
});
export const unbindArgs = z.strictObject({ vehicleId, kind: kind.optional() });

export function bindCommand(
  args: z.output<typeof bindArgs>,
  pseudonymize: Pseudonymize,
  station: string,
): OperatorCommand {
  const { connector, value, replace } = args;
  const order = { vehicleId: args.vehicleId as VehicleId, replace };
  if (connector !== undefined && value === undefined)
    return {
      verb: 'bindConnector',
      ...order,
      connectorId: parseConnectorId(connector, station),
      ...(args.kind === undefined ? {} : { kind: args.kind }),
    };
  if (connector === undefined && value !== undefined && args.kind !== undefined) {
    const fault = credentialFault(args.kind, value);
    if (fault !== undefined)
      throw new Refusal(
        'invalid_argument',
        fault,
        'look whether all of it was given, and the --kind is right',
      );
    const credential = { kind: args.kind, pseudonym: pseudonymize(args.kind, value) };
    return { verb: 'bindCredential', ...order, credential };
  }
  throw new Refusal(
    'invalid_argument',
    'a vehicle is bound to what is shown at a connector, or to a value of a kind',
    'plugpool bind --vehicle V --connector N, or --kind idToken --value-from-stdin',
  );
}

export function unbindCommand(args: z.output<typeof unbindArgs>): OperatorCommand {
  const about = { verb: 'unbind', vehicleId: args.vehicleId as VehicleId } as const;
  return args.kind === undefined ? about : { ...about, kind: args.kind };
}
