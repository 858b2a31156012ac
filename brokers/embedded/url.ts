/** The embedded broker by its URL: `file:/var/lib/app?sync=none&maxBytes=1000000000`. */
import type { Broker, BrokerServices } from '../../lib/broker.ts'
import { nearest } from '../../lib/did-you-mean.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError, listed } from '../../lib/errors.ts'
import { folderOf } from '../../lib/locate.ts'
import { embeddedBroker } from './index.ts'

const NUMBERS = ['maxBytes', 'lockTimeoutMs', 'maxDead', 'maxDeadMs'] as const
const KNOWN = ['sync', ...NUMBERS]

/** @throws {GreenroomError} `BROKER_INVALID` for an unknown or wrong parameter */
export function embeddedBrokerOf(url: string, services: BrokerServices): Broker {
  const query = url.split('?').slice(1).join('?')
  const options: Record<string, unknown> = {}
  for (const [name, value] of new URLSearchParams(query)) {
    if (!KNOWN.includes(name)) {
      const near = nearest(name, KNOWN)
      throw invalid(`Unknown parameter ${shown(name)}`, near ? `Did you mean ${near}?` : `Known are ${listed(KNOWN)}`)
    }
    if (name === 'sync') {
      if (value !== 'flush' && value !== 'none') throw invalid(`sync cannot be ${shown(value)}`, "It is 'flush' or 'none'")
      options[name] = value
    } else {
      if (!(Number(value) > 0)) throw invalid(`${name} cannot be ${shown(value)}`, 'It is a number above 0')
      options[name] = Number(value)
    }
  }
  return embeddedBroker({ ...services, ...options, path: folderOf(url) })
}

const invalid = (what: string, help: string) =>
  new GreenroomError('BROKER_INVALID', `${what} in the URL of the embedded broker`, { help })
