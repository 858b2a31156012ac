/** Which broker an operator's command speaks to, and what it may ask of it. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { greenroom } from '../index.ts'
import type { App } from '../lib/app.ts'
import type { Broker, Inspector } from '../lib/broker.ts'
import { GreenroomError } from '../lib/errors.ts'
import { type Internals, internalsOf } from '../lib/internals.ts'
import { folderOf, isBroker, locateBroker } from '../lib/locate.ts'
import { checkName } from '../lib/names.ts'
import { redactUrl } from '../lib/redact.ts'
import { shared } from '../lib/registry.ts'
import { appToAsk, type Found, loadApps } from './apps.ts'
import type { Flags, Io, Values } from './command.ts'
import { readConfigFile } from './config-file.ts'
import { EXIT } from './exit.ts'
import { CliError, usage } from './failure.ts'

export const TARGET_FLAGS = {
  broker: {
    type: 'string',
    value: 'url',
    help: 'The broker. Else the app of --module, else GREENROOM_BROKER, else greenroom.config.*, else file:.greenroom',
  },
  namespace: { type: 'string', value: 'name', help: "The app's namespace (default greenroom)" },
  module: { type: 'string', value: 'file', help: 'Take broker and namespace from the app that this module makes' },
} as const satisfies Flags

export interface Opened {
  readonly broker: Broker
  readonly inspector: Inspector
  readonly internals: Internals
}

/**
 * Opens the broker that is meant, lets `use` ask it, closes it.
 * @throws {CliError} when there is nothing to look at; {GreenroomError} `BROKER_UNSUPPORTED` when it cannot be inspected
 */
export async function withInspector(
  values: Values<typeof TARGET_FLAGS>,
  io: Io,
  use: (opened: Opened) => Promise<number>,
): Promise<number> {
  const { app, internals } = await appOf(values, io)
  try {
    checkThere(internals, io)
    const { broker } = await internals.open()
    const { inspector } = broker
    if (!inspector)
      throw new GreenroomError('BROKER_UNSUPPORTED', `${broker.name} cannot be looked into`, {
        help: "Use the broker's own tools",
      })
    return await use({ broker, inspector, internals })
  } finally {
    await app.close()
  }
}

/** Which broker is meant, and who says so. */
export interface Meant {
  /** What says it: `--broker`, `GREENROOM_BROKER`, a file, `default`. */
  readonly from: string
  readonly module?: string
  readonly broker?: string | undefined
  readonly namespace?: string | undefined
}

/** The command line, else the environment, else greenroom.config.*, else the default. @throws {CliError} for two answers at once */
export async function meant({ broker, namespace, module }: Values<typeof TARGET_FLAGS>, io: Io): Promise<Meant> {
  if (module !== undefined) {
    if (broker !== undefined || namespace !== undefined)
      throw usage('--module says which broker and namespace', 'Leave --broker and --namespace out, or --module')
    return { from: '--module', module }
  }
  if (namespace !== undefined) checkName(namespace, 'namespace')
  if (broker !== undefined) return { from: '--broker', broker, namespace }
  if (io.env['GREENROOM_BROKER'] !== undefined) return { from: 'GREENROOM_BROKER', namespace }
  const { file = '', ...config } = await readConfigFile(io)
  if (namespace === undefined && config.module !== undefined) return { from: file, module: config.module }
  if (config.broker !== undefined) return { from: file, broker: config.broker, namespace: namespace ?? config.namespace }
  return { from: 'default', namespace: namespace ?? config.namespace }
}

/** The app of the module that is meant, or one that was made for this command alone. */
export async function appOf(
  values: Values<typeof TARGET_FLAGS>,
  io: Io,
  choose: (found: readonly Found[], module: string) => Found = appToAsk,
): Promise<{ readonly app: App; readonly internals: Internals }> {
  const { module, broker, namespace } = await meant(values, io)
  if (module !== undefined) return choose(await loadApps([module], io), module)
  const app = greenroom({ broker: locateBroker(broker, io.env, io.cwd), namespace })
  return { app, internals: internalsOf(app) }
}

/** Whether there is anything in the folder of a `file:` URL. */
export const isMade = (url: string): boolean => existsSync(join(folderOf(url), 'data.mdb'))

/** Looking must not make a folder, and memory can be seen from inside only. */
export function checkThere(internals: Internals, io: Io, { mayMake = false }: { readonly mayMake?: boolean } = {}): void {
  const url = internals.brokerUrl()
  if (isBroker(url)) return
  if (url.startsWith('memory:') && !shared.connections.has(`${internals.namespace} ${url}`)) {
    throw new GreenroomError('BROKER_UNSUPPORTED', `${redactUrl(url)} lives inside the process that made it`, {
      help: "Other processes, such as this one, need a broker that can be shared: 'file:.greenroom'",
    })
  }
  if (mayMake || !url.startsWith('file:')) return
  if (isMade(url)) return
  throw new CliError(EXIT.usage, `There is no broker in ${folderOf(url)}`, {
    help: `It was looked for from ${io.cwd}. Say where it is with --module <the file that makes the app> or --broker file:/path, or start a worker or send a message first`,
  })
}
