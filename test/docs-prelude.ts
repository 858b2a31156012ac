/** Names that blocks marked `prelude` in README.md and docs/ use without making them: an app and a few actors. */
import { greenroom } from 'greenroom'

export const app = greenroom()
export const resize = app.actor(async (url: string, width: number) => ({ url, width }), { name: 'resize', queue: 'images' })
export const mail = app.actor(async (_to: string) => {}, { name: 'mail', queue: 'mail' })
