/**
 * Who comes, by names that a worker process can be told. Flags of the command line say:
 *
 *   --no-peers       only we and the bare driver, which need no installation
 *   --ours=<url>     another broker of ours in the place of `redis:`; PORT in it is that of the server
 */
import { openOurs } from '../shared/ours.mjs'

export const withPeers = !process.argv.includes('--no-peers')
const oursAt = process.argv.find(flag => flag.startsWith('--ours='))?.slice('--ours='.length)

const PEERS = ['bullmq', 'bullmq shared', 'bee', 'bee shared']
const OPENERS = {
  ours: server => openOurs(ourUrl(server), server),
  bare: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'pipelines' }),
  least: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'one command' }),
  bullmq: async server => (await import('../peers/bullmq.mjs')).open(server),
  bee: async server => (await import('../peers/bee-queue.mjs')).open(server),
}

export const ourUrl = ({ url, port }) => oursAt?.replace('PORT', port) ?? url
/** Those of the names that come. */
export const present = names => names.filter(name => withPeers || !PEERS.includes(name))
export const isPeer = name => PEERS.includes(name)
/** @param server its `url` and `port`, and a `queue` if it matters @returns {Promise<import('../shared/contest.mjs').Contender>} */
export const open = (name, server) => OPENERS[name](server)
