/**
 * A RabbitMQ node as a server of a test. All that it writes is in its folder, its name and its ports are its own, and so is epmd, with
 * which Erlang's nodes find each other: one that a node starts by itself would outlive the test. It listens on the loopback only, and
 * runs as whoever runs the test, root too.
 */
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemId } from '../../lib/ids.ts'
import type { Command, Kind, Place } from './daemon.ts'
import { needed } from './needed.ts'
import { client } from './peers.ts'

/** Of rabbitmq.conf, by their names. */
export type RabbitmqSettings = Readonly<Record<string, string | number>>

export interface Rabbitmq extends Kind {
  readonly node: string
  /** `rabbitmqctl` on this node, which must run. */
  control(place: Place, ...args: readonly string[]): Command
}

export function rabbitmq(settings: RabbitmqSettings = {}): Rabbitmq {
  const program = needed('needRabbitmq'),
    nonce = `n${systemId().slice(-12)}`, // the server says its name to everybody who connects
    node = `${nonce}@localhost`
  return {
    name: 'rabbitmq',
    node,
    ports: 3,
    command(place) {
      prepare(place, settings)
      return { program, args: [], env: environment(place, node) }
    },
    helper: ({ ports: [, , epmd] }) => ({ program: 'epmd', args: ['-address', '127.0.0.1', '-port', `${epmd}`] }),
    control: (place, ...args) => ({
      program: join(dirname(program), 'rabbitmqctl'),
      args: ['-n', node, ...args],
      env: environment(place, node),
    }),
    ready: /Server startup complete/,
    async isOurs({ ports: [port] }) {
      using one = client(port)
      one.socket.write('AMQP\0\0\x09\x01')
      await Promise.race([once(one.socket, 'data'), one.ended])
      return one.got.includes(nonce) // connection.start tells the name of its cluster
    },
  }
}

function prepare({ folder }: Place, settings: RabbitmqSettings): void {
  mkdirSync(join(folder, 'home'), { recursive: true }) // of Erlang's cookie
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
  writeFileSync(join(folder, 'rabbitmq.conf'), lines.join(''))
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n')
}

function environment({ folder, ports: [port, distribution, epmd] }: Place, node: string): NodeJS.ProcessEnv {
  const loopback = '-kernel inet_dist_use_interface {127,0,0,1}'
  return {
    HOME: join(folder, 'home'),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: `${epmd}`,
    RABBITMQ_NODENAME: node,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: `${port}`,
    RABBITMQ_DIST_PORT: `${distribution}`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: loopback,
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_LOGS: '-', // to its output, where it is read
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null', // the system's own settings
  }
}
