import { greenroom } from 'greenroom'
import { shop } from './shop.js'

/** Made again at each reload of this file. */
export const app = greenroom({ broker: 'file:.greenroom' })
export const width = 300
export const resize = app.declare('resize', { queue: 'images' })
export const mail = shop.actor(async () => {}, { name: 'mail', queue: 'mail' })
