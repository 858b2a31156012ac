/** A log that nobody reads. */
import type { Logger } from '../../lib/log.ts'

const nothing = () => {}
export const noLog: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }
