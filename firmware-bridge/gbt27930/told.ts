/** A fact of the one connector that a bus belongs to; types only. */
import type { FirmwareFact } from '../firmware-fact.ts';

type WithoutConnector<Fact> = Fact extends FirmwareFact ? Omit<Fact, 'connectorId'> : never;

export type Told = WithoutConnector<FirmwareFact>;
