/** The apps that the modules made: those that have actors to run, or the one that an operator means. */
import { pathToFileURL } from 'node:url'
import type { App } from '../lib/app.ts'
import { listed } from '../lib/errors.ts'
import { type Internals, internalsOf } from '../lib/internals.ts'
import { rememberedApps, shared } from '../lib/registry.ts'
import type { Io } from './command.ts'
import { EXIT } from './exit.ts'
import { CliError, usage } from './failure.ts'
import { importModules, locateModules } from './modules.ts'

export interface Found {
  readonly app: App
  readonly internals: Internals
  /** Names of the actors whose code is here, sorted. */
  readonly actors: readonly string[]
  /** Their queues, sorted. */
  readonly queues: readonly string[]
}

const refuse = (what: string, help: string) => new CliError(EXIT.module, what, { help })

/** Imports the modules and finds what they made. Apps that were there before, or have nothing, are left out. */
export async function loadApps(modules: readonly string[], io: Io): Promise<readonly Found[]> {
  const before = new Set(rememberedApps())
  const paths = locateModules(modules, io.cwd)
  shared.modules = paths.map(path => pathToFileURL(path).href) // a thread of an isolated actor imports the same
  await importModules(paths, io)
  return rememberedApps()
    .filter(app => !before.has(app))
    .map(foundIn)
}

function foundIn(app: object): Found {
  const internals = internalsOf(app)
  const here = [...internals.definitions.values()].filter(({ handler }) => handler)
  return {
    app: app as App,
    internals,
    actors: here.map(({ name }) => name).sort(),
    queues: [...new Set(here.map(({ queue }) => queue))].sort(),
  }
}

/** The apps to work for. @throws {CliError} when there is none, or one works already */
export async function appsToRun(found: readonly Found[], modules: readonly string[]): Promise<readonly Found[]> {
  const names = listed(modules)
  const working = found.filter(({ internals }) => internals.workers.size > 0)
  if (working.length > 0) {
    await Promise.all(working.map(({ app }) => app.close()))
    throw refuse(
      `${names} starts a worker itself`,
      'Take app.work() out of it, as the command line starts one; or run the file with node',
    )
  }
  const able = found.filter(({ actors }) => actors.length > 0)
  if (able.length > 0) return able
  const declared = found.flatMap(({ internals }) => [...internals.definitions.keys()])
  if (declared.length > 0)
    throw refuse(
      `${names} only declares ${listed(declared)}: implement() was not called while it was loaded`,
      'Name the module that calls implement() or actor() for it. Where a provider does it later (NestJS: onModuleInit), start the worker there with app.work(), see "In a provider class" in docs/guide.md',
    )
  if (found.length > 0)
    throw refuse(
      `${names} makes an app without an actor`,
      'Name the modules that call app.actor(...): they need not export what it returns, but they must be imported',
    )
  throw refuse(
    `${names} defines no actor`,
    "Name a module that calls actor() of 'greenroom', or app.actor(). Plain functions that are exported are not actors",
  )
}

/** The one app that an operator means by `--module`. @throws {CliError} when there is none, or several brokers */
export function appToAsk(found: readonly Found[], module: string): Found {
  if (found.length === 0)
    throw refuse(`${module} makes no app`, 'Name a module that calls greenroom() or actor(), or give --broker')
  const places = new Set(found.map(({ internals }) => `${internals.namespace} ${placeName(internals)}`))
  if (places.size > 1)
    throw usage(`${module} has ${found.length} apps on different brokers`, 'Give --broker and --namespace instead')
  return found[0]!
}

function placeName(internals: Internals): string {
  const place = internals.brokerUrl()
  return typeof place === 'string' ? place : place.name
}
