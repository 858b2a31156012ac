/** What an engine tidies up while others come and go: never the row of one that lives. */
import t from 'tap'
import { type Machine, upkeep } from '../../brokers/embedded/upkeep.ts'
import { peerKey } from '../../brokers/embedded/lookout.ts'

/** A folder of rows in which looks see what was there when they began; and who else is in it. */
function world({ joins }: { readonly joins: 'with its file' | 'after the look' }) {
  const rows = new Map<string, Buffer>(),
    removed: string[] = []
  let seen = rows,
    looks = 0 // the first of a tick is for leases, the second for rows to tidy up
  const key = (row: Uint8Array) => Buffer.from(row).toString('hex')
  const join = () => rows.set(key(peerKey(7)), Buffer.from('{"pid":7}'))
  const machine = {
    book: {
      db: {
        getKeys: function* () {
          for (const row of seen.keys()) yield Buffer.from(row, 'hex')
        },
        getBinary: (row: Uint8Array) => seen.get(key(row)),
        remove: (row: Uint8Array) => removed.push(key(row)),
        readerCheck() {},
      },
      onCommit() {},
    },
    wait: {
      living: () => [],
      eager: () => false,
      busy: () => false,
      poll() {},
      owns: () => false,
      nextAt: () => Infinity,
      forget() {},
    },
    rows: { due: () => false },
    calls: {
      // Whoever has a file by now has had a row before.
      engines() {
        if (joins === 'with its file') join()
        return [7]
      },
      forget() {},
    },
    watch: { needed: () => false, look: () => ({ lapsed: [], doubtful: [] }), mayLive: (peer: unknown) => peer !== undefined },
    engine: () => 1,
    mono: () => 1_000_000,
    now: () => 1_000_000,
    busy: () => false,
    schedule() {},
    warn: (facts: object) => t.fail(JSON.stringify(facts)),
    giveUp() {},
    look<T>(body: () => T): T {
      seen = new Map(rows)
      try {
        return body()
      } finally {
        seen = rows
        if (++looks === 2 && joins === 'after the look') join()
      }
    },
    transact: (body: () => void) => body(),
  }
  return { machine: machine as unknown as Machine, removed }
}

for (const joins of ['with its file', 'after the look'] as const)
  t.test(`an engine that joins ${joins} keeps its row, and so what it will hold`, async t => {
    const { machine, removed } = world({ joins })
    using keep = upkeep(machine)
    keep.tick()
    t.strictSame(removed, [])
  })
