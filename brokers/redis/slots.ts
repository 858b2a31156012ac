/** Slots of a Redis Cluster: which one a key is in, and which node has which. */
import { type Address, addressName } from './url.ts'

export const SLOTS = 16_384

/** CRC16 as Redis has it: polynomial 0x1021, nothing reflected, from 0. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1
  return crc
})

/** What stands in the first braces of a key decides, if that is something. */
export function slotOf(key: string): number {
  const open = key.indexOf('{')
  const close = open < 0 ? -1 : key.indexOf('}', open)
  let crc = 0
  for (const byte of Buffer.from(close > open + 1 ? key.slice(open + 1, close) : key))
    crc = ((crc << 8) ^ CRC[((crc >> 8) ^ byte) & 0xff]!) & 0xffff
  return crc % SLOTS
}

export interface Topology {
  /** The masters that have slots, by name. */
  readonly masters: ReadonlyMap<string, Address>
  /** The name of the one that has it, by slot. */
  readonly owners: (string | undefined)[]
}

/** Reads the reply to CLUSTER SLOTS. @param asked the host that said it: it may leave out its own */
export function topologyOf(reply: unknown, asked: string): Topology {
  const masters = new Map<string, Address>()
  const owners: (string | undefined)[] = Array.from({ length: SLOTS })
  for (const [first, last, [host, port]] of reply as [number, number, [Buffer | null, number]][]) {
    const address = { host: hostOf(`${host ?? ''}`, asked), port }
    const name = addressName(address)
    masters.set(name, address)
    owners.fill(name, first, last + 1)
  }
  return { masters, owners }
}

/** Where the server sends us to: `MOVED 3999 127.0.0.1:6381`, or `ASK`. */
export function redirection(text: string, asked: string): { kind: 'MOVED' | 'ASK'; slot: number; address: Address } | undefined {
  const [, kind, slot, host = '', port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/s.exec(text) ?? []
  if (kind === undefined) return undefined
  return { kind: kind as 'MOVED' | 'ASK', slot: Number(slot), address: { host: hostOf(host, asked), port: Number(port) } }
}

const hostOf = (host: string, asked: string) => (host === '' || host === '?' ? asked : host)
