/** A little app to test: two actors, a web handler that sends to them, and a mail server that tests can break. */
import { current, giveUp, greenroom } from 'greenroom'

export const app = greenroom()

/** Stands for the mail server of real life. */
export const mailServer = { failures: 0, delivered: [] as string[] }

export const welcome = app.actor(
  async (to: string, name: string) => {
    if (!to.includes('@')) throw giveUp(`${to} is no address`)
    if (mailServer.failures-- > 0) throw new Error('the mail server is away')
    mailServer.delivered.push(`welcome, ${name}`)
    return `sent to ${to} on attempt ${current().attempt}`
  },
  { name: 'welcome' },
)

export const survey = app.actor(async (to: string) => void mailServer.delivered.push(`how was it, ${to}?`), { name: 'survey' })

/** POST /users */
export async function signUp(request: Request): Promise<Response> {
  const { email, name } = (await request.json()) as { email: string; name: string }
  const { id } = await welcome.send(email, name)
  await survey.with({ delay: '1h' }).send(email)
  return Response.json({ id }, { status: 202 })
}
