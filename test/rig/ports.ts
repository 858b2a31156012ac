/**
 * Ports for servers that are told theirs. They are below those that the system gives to outgoing connections: a server that is killed
 * finds its port free when it is started again. Nothing reserves a port, so whoever uses one checks that what answers on it is its own.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { seeded, whole } from './random.ts'

/** Above those that need a privilege and those of well-known services, below 32,768. */
const [FIRST, LAST] = [20_000, 32_000]
const random = seeded(process.pid) // processes that look at once look in different places

export async function freePort(): Promise<number> {
  for (;;) {
    const port = whole(random, FIRST, LAST)
    if (await isFree(port)) return port
  }
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  server.listen({ port, exclusive: true })
  try {
    await once(server, 'listening')
    return true
  } catch {
    return false
  } finally {
    if (server.listening) await once(server.close(), 'close')
  }
}
