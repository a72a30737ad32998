/** By what a back office knows our records of credit, whatever carries them there. */
import { z } from 'zod';

export const creditSchema = z.strictObject({
  vendorId: z
    .string()
    .min(1)
    .max(255)
    .describe(
      'The `vendorId` under which the CSMS knows credit records: a name in reverse, such as `org.example`.',
    ),
  messageId: z
    .string()
    .min(1)
    .max(50)
    .default('plugpoolCredit')
    .describe('The `messageId` of a credit record.'),
});
