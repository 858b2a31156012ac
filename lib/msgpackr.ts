/**
 * The package msgpackr, loaded when the first msgpack body is written or read: an app that uses JSON does not pay for it. The
 * entry without `new Function`, which has no native addon either, so that every platform reads and writes alike.
 */
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { GreenroomError } from './errors.ts'

export interface Packr {
  pack(value: unknown, mode?: number): Buffer
  unpack(bytes: Uint8Array): unknown
}

interface Msgpackr {
  readonly Packr: new (options: object) => Packr
  readonly RESET_BUFFER_MODE: number
}

export interface Codec {
  /** The bytes are only valid until the next call. */
  pack(value: unknown): Buffer
  /** Maps as objects; a key `__proto__` gets another name. */
  unpack(bytes: Buffer): unknown
  /** Maps as `Map`. */
  unpackMaps(bytes: Buffer): unknown
}

/** Nothing that is private to msgpackr or kept from one message to the next; bytes do not share memory with the body. */
const OPTIONS = {
  useRecords: false,
  moreTypes: false,
  structuredClone: false,
  variableMapSize: true,
  useToJSON: false,
  copyBuffers: true,
}

/** This file; a bundler that makes CommonJS leaves `import.meta` empty. */
const here: string = import.meta.url ?? (typeof __filename === 'string' ? pathToFileURL(__filename).href : 'file:///')

/** Synchronously, as a body is decoded. A user's bundle may lie where only Greenroom's own folder leads to msgpackr. */
function load(): unknown {
  const ours = (start: string | undefined) => () => createRequire(start!).resolve('greenroom/package.json')
  let failure: unknown
  for (const from of [() => here, ours(here), ours(process.argv[1]), ours(join(process.cwd(), 'package.json'))]) {
    try {
      const require = createRequire(from())
      return require('msgpackr/index-no-eval')
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

let loaded: Codec | undefined
export const codec = (): Codec => (loaded ??= makeCodec(load))

/** @throws {GreenroomError} `DRIVER_MISSING` */
export function makeCodec(load: () => unknown): Codec {
  const { Packr, RESET_BUFFER_MODE } = found(load)
  const objects = new Packr({ ...OPTIONS, mapsAsObjects: true }),
    maps = new Packr({ ...OPTIONS, mapsAsObjects: false })
  return {
    pack: value => objects.pack(value, RESET_BUFFER_MODE),
    unpack: bytes => objects.unpack(bytes),
    unpackMaps: bytes => maps.unpack(bytes),
  }
}

function found(load: () => unknown): Msgpackr {
  try {
    return load() as Msgpackr
  } catch (cause) {
    throw new GreenroomError('DRIVER_MISSING', 'The package msgpackr cannot be loaded', {
      help: 'It comes with Greenroom: run npm install greenroom where this runs, also beside a bundle',
      cause,
      retryable: true,
    })
  }
}
