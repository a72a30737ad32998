/** Schema 3: a generation gives 2²⁴ numbers, and there are more of them. */

/**
 * Before, a fencing token was `generation × 2³² + count`, which left two million generations. Those that go on from a store of
 * that kind are multiplied by 2⁸, so that the tokens that follow are above all that were given.
 */
export const smallerGenerations = `
UPDATE meta SET generation = (generation + 1) * 256 WHERE generation > 0;
`;
