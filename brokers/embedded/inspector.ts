/** `Inspector` on the event loop's side: each call is one question to the engine. */
import type { Inspector } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import type { Engine } from './client.ts'
import { isDue } from '../../lib/refusal.ts'

export function embeddedInspector(engine: () => Engine, namespace: string): Inspector {
  return {
    queues: async () => engine().ask(namespace, 'queues', {}),
    counts: async queue => engine().ask(namespace, 'counts', { queue }),
    list: async (queue, place, options = {}) => engine().ask(namespace, 'list', { queue, place, ...options }),
    find: async (id, queue) => engine().ask(namespace, 'find', { id, queue }),
    remove: async (queue, id) => engine().ask(namespace, 'remove', { queue, id }),
    promote: async (queue, id) => engine().ask(namespace, 'promote', { queue, id }),
    async reschedule(queue, id, change) {
      if (change.due !== undefined && !isDue(change.due)) {
        throw new GreenroomError('OPTION_INVALID', 'A message cannot be rescheduled to no time', {
          help: 'Give { afterMs } from 0 or { at } in milliseconds since 1970',
        })
      }
      return engine().ask(namespace, 'reschedule', { queue, id, ...change })
    },
    revive: async (queue, ids, { to = queue } = {}) => engine().ask(namespace, 'revive', { queue, ids, to }),
    drop: async (queue, ids) => engine().ask(namespace, 'drop', { queue, ids }),
    purge: async queue => engine().ask(namespace, 'purge', { queue }),
    pause: async queue => engine().ask(namespace, 'pause', { queue, paused: true }),
    resume: async queue => engine().ask(namespace, 'pause', { queue, paused: false }),
  }
}
