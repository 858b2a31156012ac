/** The Redis broker by its URL: `rediss://user:password@host:6380/0?maxDead=1000`. The link's own parameters stand in url.ts. */
import type { Broker, BrokerServices } from '../../lib/broker.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { redisBroker } from './index.ts'
import { PARAMETERS, readUrl } from './url.ts'

/** @throws {GreenroomError} `BROKER_INVALID` for a URL that is none, an unknown or a wrong parameter */
export function redisBrokerOf(url: string, services: BrokerServices): Broker {
  const { parameters } = readUrl(url, PARAMETERS)
  const options: Record<string, number | boolean> = {}
  const wrong = (name: string, value: string, help: string) =>
    new GreenroomError('BROKER_INVALID', `${name} cannot be ${shown(value)} in the URL of the Redis broker`, { help })
  for (const [name, value] of parameters) {
    if (name === 'strict') {
      if (value !== 'true' && value !== 'false') throw wrong(name, value, 'It is true or false')
      options[name] = value === 'true'
      continue
    }
    if (!(Number(value) > 0)) throw wrong(name, value, 'It is a number above 0')
    options[name] = Number(value)
  }
  return redisBroker({ ...services, ...options, url })
}
