/**
 * Who comes, by names that a worker process can be told. Flags of the command line say:
 *
 *   --only=ours,bare     nobody else; the peers are installed only if one of them comes
 *   --ours=<url>         another broker of ours in the place of `redis:`; PORT in it is that of the server
 */
import { openOurs } from '../shared/ours.mjs'

const flag = name => process.argv.find(argument => argument.startsWith(`--${name}=`))?.slice(name.length + 3)
const only = flag('only')?.split(',')
const oursAt = flag('ours')

const PEERS = ['bullmq', 'bee']
const OPENERS = {
  ours: server => openOurs(ourUrl(server), server),
  bare: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'pipelines' }),
  least: async server => (await import('../peers/ioredis.mjs')).open({ ...server, kind: 'one command' }),
  bullmq: async server => (await import('../peers/bullmq.mjs')).open(server),
  bee: async server => (await import('../peers/bee-queue.mjs')).open(server),
}

export const ourUrl = ({ url, port }) => oursAt?.replace('PORT', port) ?? url
/** Those of the names that come. What follows a space says how one comes. */
export const present = names => names.filter(name => only?.includes(name.split(' ')[0]) ?? true)
export const needsPeers = present(PEERS).length > 0
/** @param server its `url` and `port`, and a `queue` if it matters @returns {Promise<import('../shared/contest.mjs').Contender>} */
export const open = (name, server) => OPENERS[name](server)
