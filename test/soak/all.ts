/** The long runs, in the order in which `npm run soak` makes them. */
import { model } from './model.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [model]
