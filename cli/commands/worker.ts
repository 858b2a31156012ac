import { command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { locateModules } from '../modules.ts'
import { withPidFile } from '../worker/pid-file.ts'
import { findSettings } from '../worker/found.ts'
import { WORKER_FLAGS, workerSettings } from '../worker/options.ts'
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
    'greenroom worker jobs.js --drain',
  ],
  arity: [0, Infinity],
  async run({ positionals, values: { verbose = false, 'print-config': printConfig = false, ...given } }, io) {
    if (io.parent) return serve(positionals, workerSettings(given), verbose, io) // its parent has told it all
    const { modules, settings, values, lines } = await findSettings(positionals, given, io)
    if (printConfig) {
      for (const line of lines()) io.print(line)
      return EXIT.ok
    }
    return withPidFile(settings.pidFile, io, io => {
      if (settings.processes === undefined && !settings.watch) return serve(modules, settings, verbose, io)
      const paths = locateModules(modules, io.cwd)
      const { processes: _, 'pid-file': __, watch: ___, ...rest } = values
      return supervise(['worker', ...modules, ...flagsOf({ ...rest, verbose })], settings, io, paths)
    })
  },
})

/** Values as arguments again. */
const flagsOf = (values: Readonly<Record<string, string | boolean | undefined>>): string[] =>
  Object.entries(values).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : typeof value === 'string' ? [`--${name}=${value}`] : [],
  )
