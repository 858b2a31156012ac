/** docs/kubernetes.md: its manifests parse, agree with the command line, and their commands really start, answer probes and stop. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parseAllDocuments } from 'yaml'
import { parse } from '../cli/args.ts'
import { worker as command } from '../cli/commands/worker.ts'
import { PATHS } from '../cli/worker/health-server.ts'
import { workerSettings } from '../cli/worker/options.ts'
import { sleep, systemClock } from '../lib/clock.ts'
import { DEFAULTS } from '../lib/defaults.ts'
import { cli } from './cli/fake-io.ts'
import { folderOf } from './cli/folder.ts'
import { greenroom } from './cli/program.ts'
import { blocksOf, pages } from './docs-pages.ts'

interface Container {
  readonly name: string
  readonly command: readonly string[]
  readonly args?: readonly string[]
  readonly env?: readonly { readonly name: string; readonly value: string }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string | number } } | undefined
}
interface Pod {
  readonly terminationGracePeriodSeconds: number
  readonly containers: readonly Container[]
}

const manifests: readonly any[] = pages
  .flatMap(page => blocksOf(page))
  .filter(({ language }) => language === 'yaml')
  .flatMap(({ text, page, line }) =>
    parseAllDocuments(text).map(document => {
      if (document.errors.length > 0) throw new Error(`${page}:${line} ${document.errors.join()}`)
      return document.toJS() as unknown
    }),
  )
const kind = (name: string) => manifests.filter(manifest => manifest.kind === name)
const podOf = ({ spec }: any): Pod => (spec.containers ? spec : podOf({ spec: spec.jobTemplate?.spec ?? spec.template.spec }))
const pods: readonly Pod[] = [
  ...manifests.filter(({ kind }) => kind === undefined),
  ...kind('Deployment'),
  ...kind('CronJob'),
].map(podOf)
const containers = pods.flatMap(({ containers }) => containers)

/** The words after `greenroom worker`, as the command line understands them. */
function understood({ command: [program, name, ...words], args = [] }: Container) {
  const flags = [...words, ...args],
    { values } = parse(command, flags)
  return { program, name, flags, settings: workerSettings(values as Parameters<typeof workerSettings>[0]) }
}

t.test('the manifests are there, and every command is one that the command line understands', async t => {
  t.strictSame(
    manifests.map(({ kind = 'part' }) => kind).toSorted(),
    ['CronJob', 'Deployment', 'PersistentVolumeClaim', 'PodDisruptionBudget', 'ScaledObject', 'Service', 'part'].toSorted(),
  )
  t.equal(containers.length, 3)
  for (const container of containers) {
    const { program, name } = understood(container)
    t.strictSame([program, name], ['node_modules/.bin/greenroom', 'worker'])
  }
})

t.test('a pod is killed later than its worker has stopped by itself', async t => {
  for (const { terminationGracePeriodSeconds, containers } of pods)
    for (const container of containers) {
      const { graceMs } = understood(container).settings
      t.ok(terminationGracePeriodSeconds * 1_000 > graceMs + DEFAULTS.abortGrace.value, container.name)
    }
})

t.test('probes ask for paths that there are, at the port that is open, where they can reach it', async t => {
  let probes = 0
  for (const container of containers)
    for (const [name, probe] of Object.entries(container).filter(([name]) => name.endsWith('Probe'))) {
      const { path, port } = (probe as NonNullable<Container[`${string}Probe`]>).httpGet,
        { health } = understood(container).settings
      const number = container.ports?.find(({ name }) => name === port)?.containerPort
      t.ok((PATHS as readonly string[]).includes(path), `${name} ${path}`)
      t.equal(number, health?.port)
      t.equal(health?.host, '0.0.0.0', 'the kubelet is not on the loopback of the pod')
      probes++
    }
  t.equal(probes, 3)
})

t.test('names agree: claims, labels, services, the target of the scaler', async t => {
  const [deployment] = kind('Deployment'),
    [service] = kind('Service'),
    [scaler] = kind('ScaledObject'),
    claims = kind('PersistentVolumeClaim').map(({ metadata }) => metadata.name)
  const { labels } = deployment.spec.template.metadata
  for (const { matchLabels } of [deployment.spec.selector, kind('PodDisruptionBudget')[0].spec.selector])
    t.strictSame(matchLabels, labels)
  t.strictSame(service.spec.selector, labels)
  for (const pod of [podOf(deployment), podOf(kind('CronJob')[0])] as any[]) {
    t.strictSame(
      pod.volumes.map((volume: any) => volume.persistentVolumeClaim.claimName),
      claims,
    )
    for (const { volumeMounts, env } of pod.containers)
      t.ok(
        env.some(({ value }: any) => value.startsWith(`file:${volumeMounts[0].mountPath}/`)),
        'the queue is on the volume',
      )
  }
  t.equal(deployment.spec.replicas, 1, 'file: is one pod')
  t.equal(deployment.spec.strategy.type, 'Recreate')
  t.equal(scaler.spec.scaleTargetRef.name, deployment.metadata.name)
  const url = new URL(scaler.spec.triggers[0].metadata.url)
  t.equal(url.hostname, service.metadata.name)
  t.equal(Number(url.port), service.spec.ports[0].port)
  t.equal(service.spec.ports[0].targetPort, podOf(deployment).containers[0]!.ports![0]!.name)
})

const JOBS = `
  import { existsSync } from 'node:fs'
  import { setTimeout } from 'node:timers/promises'
  import { actor } from 'greenroom'
  actor(async name => {
    console.log('begun', name)
    while (!existsSync('go')) await setTimeout(5)
  }, { name: 'wait' })
`
/** The folder of an image: what the manifest names is in it, and the volume is a folder beside. */
function image(t: Test, { env = [] }: Container) {
  const where = folderOf(t, { 'package.json': '{"type":"module"}' })
  mkdirSync(join(where, 'dist'))
  writeFileSync(join(where, 'dist/jobs.js'), JOBS)
  symlinkSync(join(where, 'node_modules'), join(where, 'dist/node_modules'))
  const variables = Object.fromEntries(env.map(({ name, value }) => [name, value.replace('file:/data', `file:${where}`)]))
  return { where, env: variables }
}
const send = (where: string, env: Record<string, string>, name: string) =>
  cli(['send', 'wait', name, '--broker', env['GREENROOM_BROKER']!], { cwd: where })

t.test('the worker of the Deployment starts with its very arguments, answers its probes, and drains', async t => {
  const [container] = podOf(kind('Deployment')[0]).containers as [Container]
  const { flags, settings } = understood(container),
    { where, env } = image(t, container)
  const free = flags.map((flag, i) => (flags[i - 1] === '--health-port' ? '0' : flag))
  const worker = greenroom(where, ['worker', ...free], { env })
  const [, port = ''] = await worker.until(/^health at http:\/\/0\.0\.0\.0:(\d+): /m)
  const probe = async (name: 'startupProbe' | 'livenessProbe' | 'readinessProbe', wanted?: number): Promise<number> => {
    for (;;) {
      const { status } = await fetch(`http://127.0.0.1:${port}${container[name]!.httpGet.path}`)
      if (wanted === undefined || status === wanted) return status
      await sleep(systemClock, 50)
    }
  }
  await probe('startupProbe', 200)
  t.equal(await probe('livenessProbe'), 200)
  t.equal(await probe('readinessProbe'), 200)
  await worker.until(/process \d+ is ready/, settings.processes!)
  await send(where, env, 'Ada')
  await worker.until(/begun Ada/)
  const { valueLocation, url } = kind('ScaledObject')[0].spec.triggers[0].metadata
  const counted: unknown = await (await fetch(`http://127.0.0.1:${port}${new URL(url).pathname}`)).json()
  t.type(
    valueLocation.split('.').reduce((value: any, key: string) => value?.[key], counted),
    'number',
    valueLocation,
  )
  worker.child.kill('SIGTERM')
  await worker.until(/\[\d\] process \d+ stopping: 1 handler/)
  t.equal(await probe('readinessProbe'), 503)
  t.equal(await probe('livenessProbe'), 200)
  writeFileSync(join(where, 'go'), '')
  t.equal(await worker.ended, 0)
})

t.test('the job of the CronJob runs what is ready and ends with 0', async t => {
  const [container] = podOf(kind('CronJob')[0]).containers as [Container]
  const { where, env } = image(t, container)
  writeFileSync(join(where, 'go'), '')
  for (const name of ['Ada', 'Bob']) await send(where, env, name)
  const worker = greenroom(where, ['worker', ...understood(container).flags], { env })
  t.equal(await worker.ended, 0)
  for (const name of ['Ada', 'Bob']) t.match(worker.output, `begun ${name}`)
})
