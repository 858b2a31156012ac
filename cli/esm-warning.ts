/**
 * Node warns of ES module syntax in a file that it takes for CommonJS, and then throws. The command line says the same with the
 * file and the fix, so that warning, and no other, is kept back while a module is loaded.
 */
const TEXT = /^To load an ES module, set "type": "module"|^Failed to load the ES module: .*"type": "module"/ // Node 20; 22.12 and later

/** Node emits it past `process.emitWarning()`, so it is caught where it is emitted. */
export async function withoutEsmWarning<T>(load: () => Promise<T>): Promise<T> {
  const { emit } = process
  const filtered = function (this: NodeJS.Process, ...args: Parameters<typeof emit>) {
    const [event, warning] = args as readonly unknown[]
    return event === 'warning' && warning instanceof Error && TEXT.test(warning.message) ? true : emit.apply(this, args)
  } as typeof emit
  process.emit = filtered
  try {
    return await load()
  } finally {
    if (process.emit === filtered) process.emit = emit // a module may have put its own around it
  }
}
