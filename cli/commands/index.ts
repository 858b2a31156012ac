/** The commands, in the order of the help. */
import type { Command } from '../command.ts'
import { completion } from './completion.ts'
import { deadDrop } from './dead-drop.ts'
import { deadExport } from './dead-export.ts'
import { deadList } from './dead-list.ts'
import { deadRevive } from './dead-revive.ts'
import { deadShow } from './dead-show.ts'
import { doctor } from './doctor.ts'
import { list } from './list.ts'
import { pause } from './pause.ts'
import { promote } from './promote.ts'
import { purge } from './purge.ts'
import { queues } from './queues.ts'
import { remove } from './remove.ts'
import { resume } from './resume.ts'
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
  pause,
  resume,
  purge,
  deadList,
  deadShow,
  deadRevive,
  deadDrop,
  deadExport,
  doctor,
  completion(() => COMMANDS),
]
