/** The page's script. What a user wrote, or an error says, is only ever put in as text. */

/** A browser opens six connections to a server, and each stream holds one: the others wait for their turn. */
const MOST_STREAMS = 4

const form = document.querySelector('form')
const problem = form.querySelector('[role=alert]')
const list = document.querySelector('ol')
const template = document.querySelector('template')

form.addEventListener('submit', async event => {
  event.preventDefault()
  const order = Object.fromEntries(new FormData(form))
  problem.textContent = ''
  try {
    const response = await fetch('/jobs', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(order),
    })
    const answer = await response.json()
    if (!response.ok) throw new Error(answer.error)
    watch(answer.id, card(order.name))
  } catch (error) {
    problem.textContent = error.message
  }
})

function card(name) {
  const item = template.content.firstElementChild.cloneNode(true)
  item.querySelector('h2').textContent = name
  list.prepend(item)
  show(item, { state: 'waiting' })
  return item
}

let open = 0
const waiting = []

function watch(id, item) {
  if (open === MOST_STREAMS) return waiting.push([id, item])
  open++
  const source = new EventSource(`/jobs/${id}/events`)
  const close = () => {
    source.close() // else the browser would ask again and again
    open--
    if (waiting.length > 0) watch(...waiting.shift())
  }
  source.addEventListener('message', ({ data }) => {
    const job = JSON.parse(data)
    show(item, job)
    if (job.state === 'done' || job.state === 'dead') close()
  })
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) close()
    item.querySelector('[role=status]').textContent = 'no connection to the server'
  })
}

/** A word for each state; a new word is a new line of what happened. */
function wordFor({ state, run, pid, why }) {
  if (state === 'running') return `running in process ${pid}${run > 1 ? `, run ${run}` : ''}`
  if (state === 'delayed') return `failed: ${why}; tries again soon`
  if (state === 'dead') return `given up: ${why}`
  return state
}

function show(item, job) {
  const { state, step, steps, id } = job
  const word = wordFor(job)
  item.dataset.state = state
  if (state === 'running') item.querySelector('progress').value = step / steps
  const status = item.querySelector('[role=status]')
  if (status.textContent !== word) status.textContent = word // so that it is read out once
  const happened = item.querySelector('ul')
  if (happened.lastElementChild?.textContent !== word)
    happened.append(Object.assign(document.createElement('li'), { textContent: word }))
  if (state !== 'done') return
  const picture = item.querySelector('img')
  picture.alt = `The picture of ${item.querySelector('h2').textContent}`
  picture.src = `/jobs/${id}/picture`
  picture.hidden = false
}
