/**
 * Who comes, by names that a worker process can be told. `--only=ours,bare` on the command line: nobody else; the peers are installed
 * only if one of them comes.
 */
import { openOurs } from '../shared/ours.mjs'

const only = process.argv
  .find(argument => argument.startsWith('--only='))
  ?.slice('--only='.length)
  .split(',')

const PEERS = ['bullmq', 'bee']
const OPENERS = {
  ours: ({ url }) => openOurs(url),
  bare: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'pipelines' }),
  least: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'one command' }),
  bullmq: async server => (await import('../peers/bullmq.mjs')).open(server),
  bee: async server => (await import('../peers/bee-queue.mjs')).open(server),
}

/** Those of the names that come. What follows a space says how one comes. */
export const present = names => names.filter(name => only?.includes(name.split(' ')[0]) ?? true)
export const needsPeers = present(PEERS).length > 0
/** @param server its `url` and `port` @returns {Promise<import('../shared/contest.mjs').Contender>} */
export const open = (name, server) => OPENERS[name](server)
