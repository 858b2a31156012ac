/** What one transaction may hold: for so long every other process on the folder waits. */

/** Messages: about 2 ms. */
export const MOST = 512
/** Bytes: about 4 ms of writing. */
export const MOST_BYTES = 4 * 1_048_576
