/** The commands, in the order of the help. */
import type { Command } from '../command.ts'
import { deadDrop } from './dead-drop.ts'
import { deadList } from './dead-list.ts'
import { deadRevive } from './dead-revive.ts'
import { deadShow } from './dead-show.ts'
import { list } from './list.ts'
import { promote } from './promote.ts'
import { queues } from './queues.ts'
import { remove } from './remove.ts'
import { send } from './send.ts'
import { show } from './show.ts'
import { worker } from './worker.ts'

export const COMMANDS: readonly Command[] = [
  worker,
  send,
  queues,
  list,
  show,
  remove,
  promote,
  deadList,
  deadShow,
  deadRevive,
  deadDrop,
]
