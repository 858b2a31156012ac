import { greenroom } from 'greenroom'

/** On globalThis, as Next.js users keep a database client: so it outlives the reload of the files that define actors on it. */
export const shop = (globalThis.shop ??= greenroom({ broker: 'file:.greenroom' }))
