/**
 * One connection to one server, from its first greeting to its end; there is no second life, line.ts makes the next one. The driver writes
 * commands and reads replies on a socket that we have opened: it has no credentials, reconnects nowhere and sends nothing twice.
 *
 * A watchdog ends a connection on which the oldest command has waited too long for its reply: one timer while something is unanswered. All
 * that is unanswered at the end rejects with ('away', 'maybe').
 */
import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../lib/clock.ts'
import { type Ioredis, driverOn } from './driver.ts'
import { refusal, unreachable, wordOf } from './failures.ts'
import { type Argument, LinkError } from './link.ts'
import { packed } from './packed.ts'

export interface Wire {
  /** Where it leads, without credentials. */
  readonly name: string
  /** Whether commands can be sent. */
  readonly isOpen: boolean
  /** Rejects with a LinkError; with ('away', 'no') when it is not open. @param isSecret keeps the words from the driver, which prints them for DEBUG */
  send(command: string, words: readonly Argument[], isSecret?: boolean): Promise<unknown>
  /** Resolves with what ended it, when the socket is closed. */
  readonly ended: Promise<LinkError>
  end(why: LinkError): void
}

export interface WireOptions {
  readonly socket: Socket
  readonly ioredis: Ioredis
  readonly name: string
  readonly replyTimeoutMs: number
  readonly clock: Clock
  /** Listens to channels: asks for a sign of life when nothing comes. */
  readonly heard?: ((channel: string, message: Buffer) => void) | undefined
}

/** @throws {LinkError} when the connection breaks at once */
export async function openWire({ socket, ioredis, name, replyTimeoutMs, clock, heard }: WireOptions): Promise<Wire> {
  const driver = driverOn(socket, ioredis)
  const unanswered = sentTimes()
  let why: LinkError | undefined,
    watchdog: Timer | undefined,
    pulse: Timer | undefined,
    isCorked = false

  const away = (what: string) => new LinkError('away', 'maybe', `The connection to ${name} ${what}`)
  const ended = new Promise<LinkError>(resolve => {
    socket.once('close', () => {
      watchdog?.cancel()
      pulse?.cancel()
      resolve((why ??= away('was closed by the server')))
    })
  })
  function end(reason: LinkError): void {
    why ??= reason
    socket.destroy()
  }
  socket.on('error', error => {
    why ??= unreachable(error, name)
  })
  // What comes unasked, as that there are too many clients; or what is no Redis.
  driver.on('error', (error: Error) => {
    const [, text] = / Last error: (.*)$/s.exec(error.message) ?? []
    if (text) end(refusal(text, name))
    else if (!socket.destroyed)
      end(new LinkError('broken', 'maybe', `What answers at ${name} is no Redis. Look at the port in the URL`))
  })

  /** Called when the oldest command may have waited too long. */
  function watch(): void {
    watchdog = undefined
    const oldest = unanswered.oldest
    if (oldest === undefined || socket.destroyed) return
    const left = oldest + replyTimeoutMs - clock.monotonic()
    if (left > 0) arm(left)
    else lookAgain(socket.bytesRead)
  }
  /** After a standstill of this process timers come before replies that lie ready: those are read first. */
  function lookAgain(before: number): void {
    setImmediate(() => {
      const oldest = unanswered.oldest
      if (oldest === undefined || socket.destroyed) return
      if (oldest + replyTimeoutMs > clock.monotonic()) watch()
      else if (socket.bytesRead > before) lookAgain(socket.bytesRead)
      else end(away(`was given up: no reply within ${replyTimeoutMs} ms`))
    })
  }
  function arm(ms: number): void {
    watchdog = clock.after(ms, watch)
  }
  /** What is sent in one turn goes out in one piece. */
  function cork(): void {
    if (isCorked) return
    isCorked = true
    socket.cork()
    process.nextTick(() => {
      isCorked = false
      socket.uncork()
    })
  }

  const answered = (reply: unknown) => {
    unanswered.shift()
    return reply
  }
  const failed = (error: Error) => {
    unanswered.shift()
    if (error.name !== 'ReplyError') throw new LinkError('away', 'maybe', `No reply: ${(why ?? away('broke')).message}`)
    const refused = refusal(error.message, name)
    if (wordOf(refused.text) === 'READONLY') end(refused) // the master is elsewhere
    throw refused
  }
  const wire: Wire = {
    name,
    get isOpen() {
      return why === undefined && socket.writable && driver.status === 'ready'
    },
    send(command, words, isSecret = false) {
      if (!wire.isOpen) return Promise.reject(new LinkError('away', 'no', why?.message ?? `There is no connection to ${name}`))
      cork()
      unanswered.push(clock.monotonic())
      if (!watchdog) arm(replyTimeoutMs)
      const bytes = packed(command, words)
      const made = new ioredis.Command(command, bytes ? [] : words.map(plain), {})
      if (bytes) made.toWritable = () => bytes
      const replied = driver.sendCommand(isSecret ? withoutWords(made, socket) : made) as Promise<unknown>
      return replied.then(answered, failed)
    },
    ended,
    end,
  }

  if (heard) {
    driver.on('moved', () => end(away('lost a channel, whose slot went to another node')))
    driver.on('smessageBuffer', (channel: Buffer, message: Buffer) => heard(channel.toString(), message))
    let read = -1
    const beat = () => {
      if (read === socket.bytesRead) wire.send('ping', []).catch(() => {}) // the watchdog waits for the answer
      read = socket.bytesRead
      pulse = clock.after(replyTimeoutMs, beat)
    }
    beat()
  }
  try {
    await driver.connect()
  } catch {
    socket.destroy()
    throw await ended
  }
  return wire
}

/** The driver takes other byte arrays for texts. */
const plain = (word: Argument): string | number | Buffer =>
  typeof word === 'object' && !Buffer.isBuffer(word) ? Buffer.from(word.buffer, word.byteOffset, word.byteLength) : word

function withoutWords(command: InstanceType<Ioredis['Command']>, socket: Socket): typeof command {
  const bytes = command.toWritable(socket)
  return Object.assign(command, { args: [], toWritable: () => bytes })
}

/** When each unanswered command was sent, in that order. */
function sentTimes() {
  let times: number[] = [],
    first = 0
  return {
    get oldest(): number | undefined {
      return times[first]
    },
    push(time: number): void {
      times.push(time)
    },
    shift(): void {
      if (++first === times.length) {
        times.length = first = 0
      } else if (first === 4_096) {
        times = times.slice(first)
        first = 0
      }
    },
  }
}
