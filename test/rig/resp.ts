/** A few words of Redis's protocol, so that the tests of the rig need no driver: one question at a time. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { type Client, client } from './peers.ts'

export type Reply = string | number | null | Reply[]

export interface Resp extends Disposable {
  readonly client: Client
  /** The reply; rejects with the server's error, or when the connection ends before. */
  ask(...words: readonly string[]): Promise<Reply>
}

/** @param to a port of this machine, or a socket that is connected or about to be: a path's, or one with TLS */
export async function openResp(to: number | Socket): Promise<Resp> {
  const one = client(to)
  if (one.socket.connecting) await once(one.socket, 'connect')
  let at = 0 // what was read
  async function line(): Promise<string> {
    for (let length = at + 2; ; length++) {
      const text = (await one.receives(length)).subarray(at).toString('latin1')
      if (!text.endsWith('\r\n')) continue
      at = length
      return text.slice(0, -2)
    }
  }
  async function bulk(length: number): Promise<string | null> {
    if (length < 0) return null
    const all = await one.receives(at + length + 2)
    const text = all.subarray(at, at + length).toString()
    at += length + 2
    return text
  }
  async function array(length: number): Promise<Reply> {
    if (length < 0) return null
    const all: Reply[] = []
    while (all.length < length) all.push(await reply())
    return all
  }
  async function reply(): Promise<Reply> {
    const first = await line(),
      rest = first.slice(1)
    switch (first[0]) {
      case '+':
        return rest
      case ':':
        return Number(rest)
      case '$':
        return bulk(Number(rest))
      case '*':
        return array(Number(rest))
      default:
        throw new Error(rest)
    }
  }
  return {
    client: one,
    ask(...words) {
      one.socket.write(`*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`)
      return reply()
    },
    [Symbol.dispose]: () => one[Symbol.dispose](),
  }
}
