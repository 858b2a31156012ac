/** The long runs, in the order in which `npm run soak` makes them. */
import { delayed } from './delayed.ts'
import { hostile } from './hostile.ts'
import { kills } from './kills.ts'
import { memory } from './memory.ts'
import { model } from './model.ts'
import { poison } from './poison.ts'
import { recovery } from './recovery.ts'
import { rolling } from './rolling.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [kills, rolling, poison, recovery, model, delayed, hostile, memory]
