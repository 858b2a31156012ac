/** What the tests of the store on Redis share. */
import type { Store } from '../../lib/store.ts'

export const TTL_MS = 60_000
export const text = (value: Uint8Array | undefined) => value && Buffer.from(value).toString()
export const bytes = (value: string) => Buffer.from(value)

/** What a topic holds, page by page. */
export async function readAll(store: Store, topic: string): Promise<Uint8Array[]> {
  const values: Uint8Array[] = []
  for (let after: string | undefined; ;) {
    const [entries] = await store.read([{ topic, ...(after !== undefined && { after }) }], { waitMs: 0 })
    if (entries!.length === 0) return values
    values.push(...entries!.map(({ value }) => value))
    after = entries!.at(-1)!.cursor
  }
}

/** The hash tag of a key of a store. */
export const tagOf = (key: string) => /^\{[\w.-]+:s:[0-9a-f]{2}\}:/.exec(key)?.[0]
