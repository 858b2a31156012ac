/** A little app to test: two actors, a web handler that sends to them, and a mail server that tests can break. */
const { current, giveUp, greenroom } = require('greenroom')

const app = greenroom()

/** Stands for the mail server of real life. */
const mailServer = { failures: 0, delivered: [] }

const welcome = app.actor(
  async (to, name) => {
    if (!to.includes('@')) throw giveUp(`${to} is no address`)
    if (mailServer.failures-- > 0) throw new Error('the mail server is away')
    mailServer.delivered.push(`welcome, ${name}`)
    return `sent to ${to} on attempt ${current().attempt}`
  },
  { name: 'welcome' },
)

const survey = app.actor(async to => void mailServer.delivered.push(`how was it, ${to}?`), { name: 'survey' })

/** POST /users */
async function signUp(request) {
  const { email, name } = await request.json()
  const { id } = await welcome.send(email, name)
  await survey.with({ delay: '1h' }).send(email)
  return Response.json({ id }, { status: 202 })
}

module.exports = { app, mailServer, survey, signUp, welcome }
