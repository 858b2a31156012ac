import { resize, width } from '../../../lib/jobs.js'

export async function POST(request) {
  const { url } = await request.json()
  const { id } = await resize.with({ signal: AbortSignal.timeout(5_000) }).send(url, width)
  return Response.json({ id, pid: process.pid }, { status: 202 })
}
