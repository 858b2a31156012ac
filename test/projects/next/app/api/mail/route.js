import { mail } from '../../../lib/jobs.js'
import { shop } from '../../../lib/shop.js'

/** A worker in the process of Next.js itself. */
export async function POST() {
  const { id } = await mail.send()
  const worker = await shop.work({ queues: ['mail'], until: 'idle' })
  await worker.stopped
  return Response.json({ state: await mail.sent(id).state() })
}
