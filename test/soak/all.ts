/** The long runs, in the order in which `npm run soak` makes them. */
import { delayed } from './delayed.ts'
import { hostile } from './hostile.ts'
import { memory } from './memory.ts'
import { model } from './model.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [model, delayed, hostile, memory]
