/** What one transaction may hold: for so long every other process on the folder waits. */

/** Messages: about 2 ms. */
export const MOST = 512
/** Due messages that one transaction makes ready in a queue, on its way. */
export const PROMOTED = 256
/** Bytes: about 4 ms of writing. One message may be larger. */
export const MOST_BYTES = 4 * 1_048_576
