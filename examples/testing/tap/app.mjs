/** A little app to test: two actors, a web handler that sends to them, and a mail server that tests can break. */
import { current, giveUp, greenroom } from 'greenroom'

export const app = greenroom()

/** Stands for the mail server of real life. */
export const mailServer = { failures: 0, delivered: [] }

export const welcome = app.actor(
  async (to, name) => {
    if (!to.includes('@')) throw giveUp(`${to} is no address`)
    if (mailServer.failures-- > 0) throw new Error('the mail server is away')
    mailServer.delivered.push(`welcome, ${name}`)
    return `sent to ${to} on attempt ${current().attempt}`
  },
  { name: 'welcome' },
)

export const survey = app.actor(async to => void mailServer.delivered.push(`how was it, ${to}?`), { name: 'survey' })

/** POST /users */
export async function signUp(request) {
  const { email, name } = await request.json()
  const { id } = await welcome.send(email, name)
  await survey.with({ delay: '1h' }).send(email)
  return Response.json({ id }, { status: 202 })
}
