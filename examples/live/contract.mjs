/**
 * What the web server and the workers know of each other: the names of four actors. Either side imports this file, sends what
 * the other one runs, and loads none of its code.
 *
 *   browser --POST--> server --render--> queue `pictures` --> workers
 *   browser <--SSE--- server <---------- queue `web` <------- progress, done, failed
 */
import { greenroom } from 'greenroom'

export const app = greenroom() // the broker is GREENROOM_BROKER; see start.mjs

/** (name, trouble): paints the picture of a name. Run by the workers: actors.mjs. */
export const render = app.declare('render', { queue: 'pictures' })

/** News for the page. Run by the web server: server.mjs. */
export const progress = app.declare('progress', { queue: 'web' })
export const done = app.declare('done', { queue: 'web' })
export const failed = app.declare('failed', { queue: 'web' })

/** What can be asked to go wrong, so that there is something to see. */
export const TROUBLES = ['none', 'once', 'always']
