/**
 * The `redis:` broker beside the bare driver, BullMQ and bee-queue, all on one server that is started for it. Each part is a file in
 * benchmarks/redis/; without names all of them run.
 *
 *   npm run bench -- redis [sends] [runs] ... [--json] [--quick | --scale=10] [--only=ours,bare,least,bullmq,bee]
 */
import { printGoals } from './shared/contest.mjs'

const PARTS = ['sends', 'runs', 'latency', 'bytes', 'connections', 'cpu', 'backlog', 'payloads', 'processes', 'fsync']

const asked = process.argv.slice(2).filter(argument => !argument.startsWith('--'))
const unknown = asked.filter(name => !PARTS.includes(name))
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: no part of this benchmark; there are ${PARTS.join(', ')}`)
  process.exitCode = 2
} else {
  for (const name of asked.length > 0 ? asked : PARTS) {
    const part = await import(`./redis/${name}.mjs`)
    await part[name]()
  }
  printGoals()
}
