/**
 * A Next.js app with the packed package: test/projects/next, installed from its lockfile in a temporary folder, once a test file; its
 * servers and the worker that runs what its routes send.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { root } from '../root.ts'
import { environment, packed, run, shop } from './installed.ts'

/** Of a test; a file has little more. */
export const TEST_MS = 100_000
const source = join(root, 'test/projects/next')
const folder = join(shop, 'next')
const engines = join(shop, 'engines')
const next = join(folder, 'node_modules/next/dist/bin/next')
const env = {
  NEXT_TELEMETRY_DISABLED: '1',
  NODE_OPTIONS: `--require=${join(folder, 'count-engines.cjs')}`,
  ENGINES: engines,
}

/** Called first by each file. */
export function installNext(): void {
  t.before(async () => {
    cpSync(source, folder, { recursive: true })
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund']
    const [archive] = await Promise.all([packed(), run(folder, 'npm', ['ci', ...quiet], {}, TEST_MS)])
    await run(folder, 'npm', ['install', '--no-save', ...quiet, archive])
  })
}

/** The app as it is in the repository, with these files instead of or beside its own. Nothing is built, nothing sent. */
export function fresh(files: Readonly<Record<string, string>> = {}): void {
  for (const name of ['.next', '.greenroom', 'next.config.mjs'])
    rmSync(join(folder, name), { recursive: true, force: true, maxRetries: 5 })
  rmSync(engines, { force: true })
  for (const name of ['app', 'lib']) cpSync(join(source, name), join(folder, name), { recursive: true })
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
}

/** Changes a file as an editor does. */
export function edit(file: string, before: string, after: string): void {
  const code = readFileSync(join(folder, file), 'utf8')
  if (!code.includes(before)) throw new Error(`${file} has no ${before}`)
  writeFileSync(join(folder, file), code.replace(before, after))
}

export interface Running {
  /** Resolves with the first match in what was printed so far, or is printed next. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Its exit code. */
  readonly ended: Promise<number | null>
  /** Asks it and its children to end, and waits until they have. */
  stop(): Promise<number | null>
}
const running = new Set<ChildProcess>()
let over = false
/** Where the file's time is up, tap ends it by a signal, after its teardown and perhaps in the middle of the next test. */
function endAll(): void {
  over = true
  for (const child of running) signal(child, 'SIGKILL')
}
t.teardown(endAll)
process.on('exit', endAll)

/** To the whole group: Next.js starts processes of its own. */
function signal({ pid }: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-pid!, name)
  } catch {} // all of them have ended
}

function start(args: readonly string[], cwd = folder, more: NodeJS.ProcessEnv = {}): Running {
  if (over) throw new Error('the file is over')
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...environment(), ...env, ...more },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lookers = new Set<() => void>()
  let output = ''
  let isOver = false
  running.add(child)
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', text => {
      output += text
      for (const look of lookers) look()
    })
  const ended = new Promise<number | null>(resolve => {
    child.on('close', code => {
      isOver = true
      running.delete(child)
      for (const look of lookers) look()
      resolve(code)
    })
  })
  return {
    ended,
    printed: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = pattern.exec(output)
          if (!found && !isOver) return
          lookers.delete(look)
          if (found) resolve(found)
          else reject(new Error(`ended without ${pattern}:\n${output}`))
        }
        lookers.add(look)
        look()
      }),
    stop() {
      signal(child, 'SIGTERM')
      return ended
    },
  }
}

const freePort = () =>
  new Promise<number>(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })

/** A server of Next.js, and how to ask it: `start`, `dev --webpack`, or the program of a standalone output in another folder. */
export async function serve(command: readonly string[], cwd = folder) {
  const port = await freePort()
  const server =
    cwd === folder
      ? start([next, ...command, '-p', `${port}`, '-H', '127.0.0.1'])
      : start(command, cwd, { PORT: `${port}`, HOSTNAME: '127.0.0.1' })
  await server.printed(/Ready/)
  const post = async (path: string, body: object) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: JSON.stringify(body) })
    const text = await response.text()
    return { status: response.status, text, json: (response.ok ? JSON.parse(text) : {}) as Readonly<Record<string, unknown>> }
  }
  return { ...server, post }
}
export type Server = Awaited<ReturnType<typeof serve>>

/** A worker of its own, for the app that stands in `cwd`. */
export async function work(cwd = folder): Promise<Running> {
  const main = join(folder, 'node_modules/greenroom/dist/esm/cli/main.js')
  const worker = start([main, 'worker', join(folder, 'worker/actors.mjs')], cwd)
  await worker.printed(/^ready/m)
  return worker
}

/** Sends by the route, and gives what the worker was given: actor and arguments. */
export async function resize(server: Server, worker: Running): Promise<{ ran: string; pid: number }> {
  const { status, text, json } = await server.post('/api/resize', { url: 'a.png' })
  if (status !== 202) throw new Error(`the route answers ${status}: ${text}`)
  const [, ran] = await worker.printed(new RegExp(`^ran ${String(json['id'])} (.*)$`, 'm'))
  return { ran: ran!, pid: Number(json['pid']) }
}

export async function build(): Promise<void> {
  const child = start([next, 'build'])
  await child.printed(/^Route \(app\)[^]*\n\n/m) // what it says otherwise is in the error
  if ((await child.ended) !== 0) throw new Error('next build failed')
}

/** Takes the standalone output to another folder, where nothing is installed that it does not bring. */
export function takeAway(): string {
  const away = join(shop, 'standalone')
  cpSync(join(folder, '.next/standalone'), away, { recursive: true, verbatimSymlinks: true }) // it links to its own node_modules
  return away
}

/** How many engine threads this process has started. */
export const enginesOf = (pid: number) =>
  readFileSync(engines, 'utf8')
    .split('\n')
    .filter(line => line === `${pid}`).length
/** How often this process has the database open; undefined where the system does not say. */
export const openFilesOf = (pid: number) =>
  existsSync('/proc/self/fd')
    ? readdirSync(`/proc/${pid}/fd`).filter(fd => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith('/data.mdb')
        } catch {
          return false // closed meanwhile
        }
      }).length
    : undefined
