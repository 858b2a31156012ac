import { current, greenroom } from 'greenroom'

const app = greenroom({ broker: 'file:.greenroom' })
const print = async (...args) => console.log('ran', current().id, current().message.actor, ...args)
export const resize = app.actor(print, { name: 'resize', queue: 'images' })
export const thumb = app.actor(print, { name: 'thumb', queue: 'images' })
