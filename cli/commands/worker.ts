import { command, type Io } from '../command.ts'
import { EXIT } from '../exit.ts'
import { speak } from '../json-io.ts'
import { locateModules } from '../modules.ts'
import { reportTo } from '../worker/children-health.ts'
import { findSettings } from '../worker/found.ts'
import { type HealthPlace, PATHS, type Probes, serveHealth } from '../worker/health-server.ts'
import { NOT_YET, probesOf, UNEXPOSED } from '../worker/health.ts'
import { WORKER_FLAGS, workerSettings } from '../worker/options.ts'
import { withPidFile } from '../worker/pid-file.ts'
import { serve } from '../worker/serve.ts'
import { supervise } from '../worker/supervise.ts'

export const worker = command({
  name: 'worker',
  usage: '[modules...]',
  summary: 'Run the actors that these modules define, until it is told to stop.',
  notes: [
    'Modules are paths of files: ES modules, CommonJS, TypeScript (before Node 22.18: npm install --save-dev tsx).',
    'SIGTERM and SIGINT (Ctrl-C) drain: what runs may finish within --grace, the rest goes back. A second signal aborts what runs, a third ends the process.',
    'SIGHUP with --processes replaces them one by one with new code; without it drains, with exit code 6.',
    'With several apps each has its own --concurrency.',
    'Each option can be in the environment (GREENROOM_CONCURRENCY) and in greenroom.config.* (worker: { concurrency }), modules there too.',
  ],
  flags: {
    ...WORKER_FLAGS,
    'print-config': { type: 'boolean', help: 'Show the settings and where each comes from, and start nothing' },
  },
  examples: [
    'greenroom worker jobs.ts',
    'greenroom worker jobs/*.js --concurrency 50 --processes 4',
    'greenroom worker jobs.js --queues images=2,mail=50 --grace 2m',
    'greenroom worker jobs.js --processes 4 --max-memory 512mb --pid-file /run/shop/worker.pid',
    'greenroom worker jobs.js --watch',
    'greenroom worker jobs.js --drain --max-time 10m',
    'greenroom worker jobs.js --health-port 8080',
  ],
  arity: [0, Infinity],
  async run({ positionals, values: { verbose = false, 'print-config': printConfig = false, ...given } }, world) {
    // A child, which its parent has told it all.
    if (world.parent) {
      const settings = workerSettings(given),
        io = speak(settings.log, world)
      return serve(positionals, settings, verbose, io, source => (settings.health ? reportTo(io, source) : UNEXPOSED))
    }
    const { modules, settings, values, lines } = await findSettings(positionals, given, world)
    if (printConfig) {
      for (const line of lines()) world.print(line)
      return EXIT.ok
    }
    const io = speak(settings.log, world)
    return withPidFile(settings.pidFile, io, io =>
      withHealthPort(settings.health, io, answer => {
        if (settings.processes === undefined && !settings.watch)
          return serve(modules, settings, verbose, io, source => {
            answer(probesOf(source, io.clock))
            return UNEXPOSED
          })
        const paths = locateModules(modules, io.cwd)
        const { processes: _, 'pid-file': __, watch: ___, 'max-time': ____, ...rest } = values // the parent's own
        return supervise(['worker', ...modules, ...flagsOf({ ...rest, verbose })], settings, io, paths, answer)
      }),
    )
  },
})

/** Opens the port first, as it may be taken, and closes it last, as a stop is watched too. */
async function withHealthPort(
  place: HealthPlace | undefined,
  io: Io,
  run: (answer: (probes: Probes) => void) => Promise<number>,
): Promise<number> {
  if (!place) return run(() => {})
  let probes = NOT_YET
  const { url, close } = await serveHealth(place, () => probes)
  io.print(`health at ${url}: ${PATHS.join(', ')}`, { url })
  try {
    return await run(answer => {
      probes = answer
    })
  } finally {
    await close()
  }
}

/** Values as arguments again. */
const flagsOf = (values: Readonly<Record<string, string | boolean | undefined>>): string[] =>
  Object.entries(values).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : typeof value === 'string' ? [`--${name}=${value}`] : [],
  )
