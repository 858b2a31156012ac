/**
 * The web server's requests. It never does the work itself: it sends a message, answers 202 with the id, and passes on the news.
 *
 *   GET  /                   the page
 *   POST /jobs               { name, trouble } -> 202 { id }
 *   GET  /jobs/:id           its state, as JSON
 *   GET  /jobs/:id/events    its states as they come (server-sent events), until it has ended
 *   GET  /jobs/:id/picture   the result
 */
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { GreenroomError } from 'greenroom'
import { TROUBLES } from './contract.mjs'
import { fileOf } from './files.mjs'

const MOST_BYTES = 1_024 // of a request's body
const LONGEST_NAME = 80
const RETRY_AFTER_SECONDS = 5 // the broker is away
const RECONNECT_MS = 1_000 // how long a browser waits before it opens a broken stream again

const page = (name, type) => ({ type, body: readFileSync(new URL(name, import.meta.url)) })
const PAGES = new Map([
  ['/', page('page.html', 'text/html; charset=utf-8')],
  ['/page.css', page('page.css', 'text/css; charset=utf-8')],
  ['/page.js', page('page.js', 'text/javascript; charset=utf-8')],
])
/** Nothing of others is loaded, and nothing that a user wrote can become code. */
const HEADERS = {
  'content-security-policy':
    "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
}

/** What is wrong with a request: an answer, not a fault of ours. */
const refusal = (status, message, headers = {}) => Object.assign(new Error(message), { status, headers })

/** `answer` is the listener of the http server; `leave` ends all streams, so that it can close. */
export function routes({ render, jobs }) {
  const streams = new Set()

  async function route(request, response) {
    const pathname = request.url.split('?')[0]
    const [, top, id, part] = pathname.split('/')
    if (pathname === '/jobs') {
      only('POST', request)
      return post(request, response)
    }
    only('GET', request)
    if (PAGES.has(pathname)) {
      const { type, body } = PAGES.get(pathname)
      return response.setHeader('content-type', type).end(body)
    }
    const job = top === 'jobs' ? await jobs.get(id) : undefined
    if (job && pathname === `/jobs/${id}`) return json(response, 200, job)
    if (job && pathname === `/jobs/${id}/${part}`) {
      if (part === 'events') return stream(id, response)
      if (part === 'picture' && job.state === 'done')
        return response.setHeader('content-type', 'image/png').end(await readFile(fileOf(id, 'png')))
    }
    throw refusal(404, 'there is no such thing')
  }

  async function post(request, response) {
    const { name, trouble } = orderOf(await bodyOf(request))
    const { id } = await render.send(name, trouble) // stored, durably: the answer is a promise that can be kept
    await jobs.open(id)
    json(response.setHeader('location', `/jobs/${id}`), 202, { id })
  }

  async function stream(id, response) {
    if (response.closed) return // while the job was looked up
    const left = new AbortController()
    streams.add(left)
    response.once('close', () => left.abort())
    try {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      response.write(`retry: ${RECONNECT_MS}\n\n`)
      for await (const job of jobs.watch(id, left.signal)) response.write(`data: ${JSON.stringify(job)}\n\n`)
    } finally {
      streams.delete(left)
      response.end()
    }
  }

  return {
    async answer(request, response) {
      for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
      try {
        await route(request, response)
      } catch (error) {
        fail(error, response)
      }
    },
    leave() {
      for (const stream of streams) stream.abort()
    },
  }
}

function only(method, request) {
  if (request.method !== method) throw refusal(405, `only ${method}`, { allow: method })
}

/** The body, as far as it is small. The type is asked for as other sites cannot send it without asking the browser first. */
async function bodyOf(request) {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) throw refusal(415, 'send application/json')
  const chunks = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length
    if (bytes > MOST_BYTES) throw refusal(413, `the body has more than ${MOST_BYTES} bytes`, { connection: 'close' })
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw refusal(400, 'the body is not JSON')
  }
}

function orderOf(body) {
  const { name, trouble = 'none' } = Object(body)
  if (typeof name !== 'string' || name.trim() === '' || name.length > LONGEST_NAME)
    throw refusal(400, `name is a text of 1 to ${LONGEST_NAME} characters`)
  if (!TROUBLES.includes(trouble)) throw refusal(400, `trouble is one of ${TROUBLES.join(', ')}`)
  return { name: name.trim(), trouble }
}

function json(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(value)}\n`)
}

function fail(error, response) {
  if (response.headersSent) return response.destroy()
  for (const [name, value] of Object.entries(error.headers ?? {})) response.setHeader(name, value)
  if (error.status) return json(response, error.status, { error: error.message })
  if (error instanceof GreenroomError && error.retryable) {
    response.setHeader('retry-after', RETRY_AFTER_SECONDS)
    return json(response, 503, { error: 'the work cannot be stored just now, try again soon' })
  }
  console.error(error) // the user is told no more than that
  json(response, 500, { error: 'something went wrong here' })
}
