/** Every place where a conversation through the proxy can be cut, byte by byte, in both directions. */
import type { Direction, How, Proxy } from './proxy.ts'

export interface Cut {
  readonly direction: Direction
  /** So many pass. */
  readonly bytes: number
  readonly how: How
}

/** What passes while `talk` runs. It should open its connection, and be alone on the proxy. */
export async function measure(proxy: Proxy, talk: () => Promise<unknown>): Promise<Readonly<Record<Direction, number>>> {
  const { up, down } = proxy.passed
  await talk()
  return { up: proxy.passed.up - up, down: proxy.passed.down - down }
}

/**
 * All cuts of a conversation of that length: before its first byte, within it, and right after its last one. With `step` each so many
 * bytes, for a conversation that is too long for all of them.
 */
export function* everyCut(
  length: Readonly<Record<Direction, number>>,
  { hows = ['rst'], step = 1 }: { readonly hows?: readonly How[]; readonly step?: number } = {},
): Generator<Cut> {
  for (const how of hows)
    for (const direction of ['up', 'down'] as const)
      for (let bytes = 0; bytes <= length[direction]; bytes += step) yield { direction, bytes, how }
}
