/**
 * What the event loop tells the keeper thread, in memory that both see: that it moves, which handlers run, and how long they and the
 * longest of them may. The thread must know it while the loop is blocked, so it is written before a handler is called: a few numbers a message.
 */
import { machineMs } from '../clock.ts'

/** Names beyond so many share one place: the memory has a fixed size. */
const MOST_NAMES = 512
/** What the names beyond are called. */
const OTHERS = 'another actor'

const TIMES = { beat: 0, longest: 1 } as const
/** Behind the two times: the time limit of each place. */
const LIMITS = 2
const TIMES_BYTES = (LIMITS + MOST_NAMES) * 8
const INSPECTED = MOST_NAMES

export class Board {
  readonly memory: SharedArrayBuffer
  /** By place: the actors that have one. */
  readonly names: string[]
  readonly #times: Float64Array
  readonly #counts: Int32Array
  readonly #places: Map<string, number>
  /** Told of each name that is new, while there is a thread. */
  named: ((place: number, name: string) => void) | undefined

  constructor(memory = new SharedArrayBuffer(TIMES_BYTES + (MOST_NAMES + 1) * 4), names: readonly string[] = []) {
    this.memory = memory
    this.names = [...names]
    this.#times = new Float64Array(memory, 0, LIMITS + MOST_NAMES)
    this.#counts = new Int32Array(memory, TIMES_BYTES)
    this.#places = new Map(names.map((name, place) => [name, place]))
  }

  /** A handler is about to be called. Answers its place, for `leave`. */
  enter(name: string, limitMs: number): number {
    const place = this.#places.get(name) ?? this.#placeFor(name)
    // Of two runs of one actor with limits of their own, the longer counts.
    if (this.#counts[place]!++ === 0 || limitMs > this.#times[LIMITS + place]!) this.#times[LIMITS + place] = limitMs
    if (limitMs > this.#times[TIMES.longest]!) this.#times[TIMES.longest] = limitMs
    return place
  }
  leave(place: number): void {
    this.#counts[place]!--
  }
  #placeFor(name: string): number {
    const place = Math.min(this.names.length, MOST_NAMES - 1)
    this.#places.set(name, place)
    this.names[place] = place < MOST_NAMES - 1 ? name : OTHERS
    this.named?.(place, this.names[place]!)
    return place
  }

  /** The loop moves. @param longestMs the longest time limit of what runs now; 0 when nothing does */
  beat(longestMs: number, inspected: boolean): void {
    this.#times[TIMES.longest] = longestMs
    this.#counts[INSPECTED] = inspected ? 1 : 0
    this.#times[TIMES.beat] = machineMs()
  }
  /** When it last did, by `machineMs`. */
  get beatAt(): number {
    return this.#times[TIMES.beat]!
  }
  get longestMs(): number {
    return this.#times[TIMES.longest]!
  }
  /** How long the handlers of one actor may run; undefined where none of it runs, or it shares its place. */
  limitOf(name: string): number | undefined {
    const place = this.names.indexOf(name)
    return place >= 0 && place < MOST_NAMES - 1 && this.#counts[place]! > 0 ? this.#times[LIMITS + place] : undefined
  }
  /** Whether a debugger may be attached: the process may stand at a breakpoint. */
  get inspected(): boolean {
    return this.#counts[INSPECTED] !== 0
  }
  /** The actors whose handlers run. */
  get running(): readonly string[] {
    return this.names.filter((_, place) => this.#counts[place]! > 0)
  }
}

/** Of all copies of this code in a process: they share the event loop. The number is that of the layout. */
const KEY = Symbol.for('greenroom/board/2')
const holder = globalThis as { [KEY]?: Board }
/** The one of this process. Handlers are noted whether or not there is a thread. */
export const board: Board = (holder[KEY] ??= new Board())
