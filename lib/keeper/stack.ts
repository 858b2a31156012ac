/**
 * Where the event loop's thread is, asked from beside it: a pause of the debugger of some milliseconds, in which the top of the stack and
 * the actor are read. It answers only while JavaScript runs: in a native call (execSync, a read from a slow disk) there is no pause.
 */
import type { Session } from 'node:inspector'
import { type Clock, within } from '../clock.ts'
import { isOwnFile } from '../own-files.ts'

export interface Sight {
  /** Whose handler it is: one, or none; undefined where that could not be asked. */
  readonly actors: readonly string[] | undefined
  /** `work (file:///app/actors.js:12:3)`, innermost first, without Node's and ours. */
  readonly frames: readonly string[]
}

/** A pause that has not come by then will not: the loop is in a native call, or moves again. */
const ANSWER_MS = 2_000
const MOST_FRAMES = 5
/** What is called in the paused frame, so in the context of the run that it belongs to. `greenroom/1`: lib/registry.ts. */
const ACTOR = `globalThis[Symbol.for('greenroom/1')]?.runs.getStore()?.message?.actor`

/** Undefined where nobody can see: no inspector in this Node, or no JavaScript is running. Never rejects. */
export async function lookAtLoop(clock: Clock, roots: readonly string[]): Promise<Sight | undefined> {
  try {
    const { Session } = await import('node:inspector')
    const session = new Session()
    session.connectToMainThread()
    try {
      return await within(paused(session, roots), ANSWER_MS, clock, () => undefined)
    } finally {
      session.post('Debugger.disable') // goes on, if it still stands
      session.disconnect()
    }
  } catch {
    return undefined
  }
}

/** A name with a dot is V8's guess for a function without one: that of `actor(() => ..., { name })` would be `actor.name`. */
const nameOf = (name: string): string => (name === '' || name.includes('.') ? 'anonymous' : name)

function paused(session: Session, roots: readonly string[]): Promise<Sight> {
  return new Promise((resolve, reject) => {
    const urls = new Map<string, string>()
    session.on('Debugger.scriptParsed', ({ params: { scriptId, url } }) => urls.set(scriptId, url))
    session.on('Debugger.paused', ({ params: { callFrames } }) => {
      const places = callFrames.map(({ callFrameId, functionName, location: { scriptId, lineNumber, columnNumber = 0 } }) => {
        const url = urls.get(scriptId) ?? ''
        return { callFrameId, url, text: `${nameOf(functionName)} (${url}:${lineNumber + 1}:${columnNumber + 1})` }
      })
      const own = places.filter(({ url }) => !isOwnFile(url, roots)),
        shown = own.length > 0 ? own : places
      const frames = shown.slice(0, MOST_FRAMES).map(({ text }) => text)
      // In a frame of the user's: Node's own do not see the globals.
      session.post(
        'Debugger.evaluateOnCallFrame',
        { callFrameId: shown[0]!.callFrameId, expression: ACTOR, silent: true, returnByValue: true },
        (error, answer) => {
          const failed = error !== null || answer.exceptionDetails !== undefined
          resolve({
            actors: failed ? undefined : [answer.result.value as unknown].filter(name => typeof name === 'string'),
            frames,
          })
        },
      )
      session.post('Debugger.resume')
    })
    session.post('Debugger.enable', error => error && reject(error))
    session.post('Debugger.pause')
  })
}
