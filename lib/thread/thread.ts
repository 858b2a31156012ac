/** One thread as its worker sees it: started, told what to run, listened to, ended. */
import { Worker } from 'node:worker_threads'
import type { Definition } from '../definition.ts'
import { GreenroomError } from '../errors.ts'
import type { Internals } from '../internals.ts'
import type { Live } from '../live.ts'
import { programOf } from '../programs.ts'
import { unpack } from './carry.ts'
import { endOf, noHome, noProgram, notLoaded } from './failures.ts'
import type { Isolated } from './pool.ts'
import type { Said, Told } from './protocol.ts'
import { createServer } from './serve.ts'

export interface Thread {
  /** What runs in it, or loads. */
  readonly job: Isolated | undefined
  /** The actors that it has loaded. */
  readonly known: ReadonlyMap<string, Definition>
  /** Gives it a job; until that is over it keeps the process alive. */
  hold(job: Isolated): void
  load(definition: Definition, groups: readonly (readonly string[])[]): void
  tell(told: Told): void
  /** Ends it in the middle of whatever it does. */
  end(): Promise<unknown>
}

export interface ThreadParts {
  readonly app: Internals
  readonly live: Live
  readonly memoryMb: number | undefined
  /** It has nothing to do. */
  free(thread: Thread): void
  /** It ended by itself. */
  gone(thread: Thread, failure: { readonly error: Error }): void
}

/** What this process was started with, without a program of its own: a thread has another one. */
const optionsOf = (execArgv: readonly string[]): string[] =>
  execArgv.filter(
    (option, i) =>
      !/^(?:-e|-p|-pe|--eval|--print|--input-type)(?:=|$)/.test(option) &&
      !/^(?:-e|-p|-pe|--eval|--print|--input-type)$/.test(execArgv[i - 1] ?? ''),
  )

export function startThread({ app, live, memoryMb, free, gone }: ThreadParts): Thread {
  const known = new Map<string, Definition>()
  let worker: Worker | undefined,
    job: Isolated | undefined,
    loading: Definition | undefined,
    lastError: unknown,
    isOver = false
  const tell = (told: Told) => worker?.postMessage(told)
  const server = createServer({ app, live, tell, job: () => job })

  const thread: Thread = {
    known,
    get job() {
      return job?.isOver ? undefined : job
    },
    hold(given) {
      job = given
      worker?.ref()
    },
    load(definition, groups) {
      const { name } = definition
      if (groups.length === 0) return refuse(noHome(name))
      if (!worker) {
        const program = programOf('lib/thread/main')
        if (!program) return refuse(noProgram(name))
        start(program)
      }
      loading = definition
      tell({ kind: 'load', actor: name, app: app.place, groups })
    },
    tell,
    async end() {
      isOver = true
      server.close()
      await worker?.terminate()
    },
  }

  function start(program: URL): void {
    worker = new Worker(program, {
      name: 'greenroom isolated',
      execArgv: optionsOf(process.execArgv),
      ...(memoryMb !== undefined && { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
    })
    worker.on('message', heard)
    worker.on('messageerror', error => (lastError = error))
    worker.on('error', error => (lastError = error))
    worker.on('exit', code => {
      server.close()
      if (isOver) return
      isOver = true
      gone(thread, { error: endOf(job?.definition.name ?? 'an actor', code, lastError) })
    })
  }

  /** Nothing was loaded, and nothing runs: it can be used again. */
  function refuse(error: Error): void {
    const refused = job
    release()
    refused?.failed({ error })
  }

  function release(): void {
    job = undefined
    loading = undefined
    worker?.unref()
    queueMicrotask(() => {
      if (!isOver) free(thread)
    })
  }

  function heard(said: Said): void {
    if (isOver) return
    switch (said.kind) {
      case 'loaded':
        if (loading) known.set(said.actor, loading)
        if (!job || job.isOver) return release()
        return job.loaded()
      case 'missing': {
        const error = unpack(said.error)
        const told = error instanceof GreenroomError ? error : notLoaded(said.actor, [], 'could not be loaded', error)
        return refuse(told)
      }
      case 'came': {
        const over = job
        release()
        return over?.came(said.came)
      }
      case 'log': {
        const facts = typeof said.facts === 'string' ? said.facts : (unpack(said.facts) as object)
        return app.log[said.level](facts, said.text)
      }
      case 'ask':
        return server.ask(said)
      case 'drop':
        return server.drop(said.id)
      default:
        said satisfies never
    }
  }
  return thread
}
