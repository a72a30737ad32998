/** The keys of `kind: manual`. */
import { z } from 'zod';

export const manualSchema = z.strictObject({
  kind: z
    .literal('manual')
    .describe('The operator says what happens at each connector (`plugpool firmware …`).'),
});

export interface ManualConfig {
  readonly kind: 'manual';
}
