/** The embedded broker in a folder of its own as what the model is held against: unflushed, as a model knows of no power cut. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BrokerTarget } from '../../conformance.ts'
import { embeddedTarget } from '../brokers/embedded-target.ts'

export async function fileTarget(): Promise<BrokerTarget & AsyncDisposable> {
  const parent = mkdtempSync(join(tmpdir(), 'greenroom-')),
    target = await embeddedTarget({ path: join(parent, 'folder'), sync: 'none' })
  return {
    ...target,
    async [Symbol.asyncDispose]() {
      await target[Symbol.asyncDispose]()
      rmSync(parent, { recursive: true, force: true })
    },
  }
}
