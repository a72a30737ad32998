/** A fact of a connector that whoever tells it need not name; types only. */
import type { FirmwareFact } from './firmware-fact.ts';

type WithoutConnector<Fact> = Fact extends FirmwareFact ? Omit<Fact, 'connectorId'> : never;

export type Told = WithoutConnector<FirmwareFact>;
