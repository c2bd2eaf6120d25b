// Applications whose program is not Node: whatever they ask for, they are not started again and again.
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { fakeGpu } from '../build.mjs'
import { Scene, type Told } from '../scene.ts'

const APP = join(packageRoot(), 'test/hip/children/host-app.cjs')
const run = promisify(execFile)

interface Answer {
  /** 0 for the application, 1 for the first copy of it. */
  copy: number
  step: string
  // biome-ignore lint/suspicious/noExplicitAny: answers of several steps
  value?: any
  error?: Told
}

interface Host {
  steps: readonly (readonly unknown[])[]
  execPath?: string
  electron?: string
  last?: 'end' | 'stay' | 'speak'
}

let scene: Scene
let folder: string
let sea: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'whisper hip hosts '))
  sea = await makeSea()
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => scene[Symbol.dispose]())

/** A single executable of the application, made of the Node at hand. */
async function makeSea(): Promise<string> {
  const program = join(folder, 'app')
  const blob = join(folder, 'app.blob')
  const config = join(folder, 'sea.json')
  await writeFile(config, JSON.stringify({ main: APP, output: blob, disableExperimentalSEAWarning: true }))
  await run(process.execPath, ['--experimental-sea-config', config])
  await copyFile(process.execPath, program)
  const cli = join(dirname(createRequire(import.meta.url).resolve('postject/package.json')), 'dist/cli.js')
  const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
  await run(process.execPath, [cli, program, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', fuse])
  return program
}

/** A program that starts the application whatever its arguments are. @param how the command before Node */
async function makeLauncher(how = 'exec'): Promise<string> {
  const path = scene.path('launcher')
  await writeFile(path, `#!/bin/sh\n${how} '${process.execPath}' '${APP}'\n`)
  await chmod(path, 0o755)
  return path
}

function open(): Scene {
  scene = new Scene({})
  return scene
}

/** Runs the application to its end, and tells what each start of it answered. */
async function start(
  command: readonly string[],
  host: Host,
  environment: Readonly<Record<string, string>> = {},
): Promise<{ starts: number; answers: Answer[]; alive: number[] }> {
  const files = { STARTS: scene.path('starts'), ANSWERS: scene.path('answers') }
  await Promise.all(Object.values(files).map((path) => writeFile(path, '')))
  const [program = '', ...args] = command
  const child = spawn(program, args, {
    cwd: scene.folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      ...process.env,
      ...files,
      ENTRY: join(packageRoot(), 'dist/index.js'),
      HOST: JSON.stringify(host),
      WHISPER_HIP_SYSROOT: scene.machine.folder,
      WHISPER_HIP_LIBRARY: fakeGpu,
      WHISPER_HIP_CACHE: scene.path('cache'),
      ...environment,
    },
  })
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
  const pids = (await readFile(files.STARTS, 'utf8')).trim().split('\n').map(Number)
  const answers = (await readFile(files.ANSWERS, 'utf8')).trim().split('\n')
  return {
    starts: pids.length,
    answers: answers.filter(Boolean).map((line) => JSON.parse(line)),
    alive: pids.filter((pid) => existsSync(`/proc/${pid}`)),
  }
}

const ofApplication = ({ answers }: { answers: Answer[] }, step: string) =>
  answers.find((answer) => answer.copy === 0 && answer.step === step)
/** Of a GPU that was tried in the other program. */
const withNote = {
  notes: expect.arrayContaining([
    expect.objectContaining({
      reason: 'HOST_NOT_NODE',
      message: expect.stringMatching(
        /^There is no Node to run models .* in: the program of this process, .*, is not Node/,
      ),
    }),
  ]),
}
const onGpu = { active: 'hip', reason: 'OK', probe: { cached: false, exit: 'code 0' } }
const missing = {
  code: 'ERR_NODE_MISSING',
  reason: 'HOST_NOT_NODE',
  advice: expect.arrayContaining([expect.stringContaining('export WHISPER_HIP_NODE=$(command -v node)')]),
}

describe('a single executable', () => {
  it('tries the GPU without starting itself, and refuses an isolated model at once', async () => {
    const { model } = open()
    const came = await start([sea], { steps: [['info'], ['isolated', model]] })
    expect(came.starts).toBe(1)
    expect(ofApplication(came, 'info')?.value).toMatchObject({ ...onGpu, ...withNote })
    expect(ofApplication(came, 'isolated')?.error).toMatchObject({
      ...missing,
      message: expect.stringMatching(
        /^There is no Node to run the model .* in: the program of this process, .*\/app, is not Node \(it is an application in a single executable\)$/,
      ),
    })
  })

  it.each([
    ['the variable', (node: string) => ({ environment: { WHISPER_HIP_NODE: node }, options: {} })],
    ['the option', (node: string) => ({ environment: {}, options: { nodePath: node } })],
  ])('uses the Node that %s names', async (_, naming) => {
    const { model } = open()
    const { environment, options } = naming(process.execPath)
    const steps = [
      ['info', options],
      ['isolated', model, options],
    ]
    const came = await start([sea], { steps }, environment as Record<string, string>)
    expect(came.starts).toBe(1)
    expect(ofApplication(came, 'info')?.value).toMatchObject(onGpu)
    expect(ofApplication(came, 'isolated')?.value).toMatchObject({
      text: 'Hello there.',
      backend: { active: 'hip' },
    })
  })

  it('is told when the Node that is named is itself', async () => {
    const { model } = open()
    const came = await start([sea], { steps: [['info'], ['isolated', model]] }, { WHISPER_HIP_NODE: sea })
    expect(came.starts).toBe(1)
    expect(ofApplication(came, 'info')?.value).toMatchObject({
      active: 'cpu',
      reason: 'HOST_NOT_NODE',
      message: expect.stringContaining(`WHISPER_HIP_NODE names ${sea}, which is not Node`),
      advice: missing.advice,
    })
    expect(ofApplication(came, 'isolated')?.error).toMatchObject(missing)
  })
})

describe('an application behind a launcher', () => {
  it('is started once more at most, and the copy starts nothing', async () => {
    const { model } = open()
    const execPath = await makeLauncher()
    const came = await start([process.execPath, APP], { execPath, steps: [['info'], ['isolated', model]] })
    expect(came.starts).toBe(2)
    expect(ofApplication(came, 'info')?.value).toMatchObject({ ...onGpu, ...withNote })
    expect(ofApplication(came, 'isolated')?.error).toMatchObject(missing)
    for (const { value, error } of came.answers.filter(({ copy }) => copy > 0)) {
      expect(value ?? error).toMatchObject({ reason: 'HOST_NOT_NODE' })
      expect((value ?? error).message).toContain('it was started as Node, and started this application again')
    }
  })

  it('loses the copy that would stay for ever', async () => {
    open()
    const execPath = await makeLauncher()
    const came = await start([process.execPath, APP], { execPath, steps: [['info']], last: 'stay' })
    expect(came).toMatchObject({ starts: 2, alive: [] })
    expect(ofApplication(came, 'info')?.value).toMatchObject(onGpu)
  })

  it('is told at once when a copy has messages of its own', async () => {
    const { model } = open()
    const execPath = await makeLauncher()
    const steps = [['isolated', model, { backend: 'cpu' }]]
    const came = await start([process.execPath, APP], { execPath, steps, last: 'speak' })
    expect(came).toMatchObject({ starts: 2, alive: [] })
    expect(ofApplication(came, 'isolated')?.error).toMatchObject({
      ...missing,
      message: expect.stringContaining('(it answered something else)'),
    })
  })

  it('that cleans the environment is not started without end', async () => {
    open()
    const keep = ['ENTRY', 'STARTS', 'ANSWERS', 'HOST', 'PATH', 'WHISPER_HIP_SYSROOT', 'WHISPER_HIP_LIBRARY']
    const execPath = await makeLauncher(`exec env -i ${keep.map((name) => `${name}="$${name}"`).join(' ')}`)
    const came = await start([process.execPath, APP], { execPath, steps: [['info']], last: 'end' })
    expect(came.starts).toBeLessThanOrEqual(4)
    expect(came.alive).toEqual([])
    expect(ofApplication(came, 'info')?.value).toMatchObject(onGpu)
  })

  it('is told when it names the launcher as its Node', async () => {
    open()
    const launcher = await makeLauncher()
    const came = await start([process.execPath, APP], { steps: [['info']] }, { WHISPER_HIP_NODE: launcher })
    expect(came.starts).toBe(2)
    expect(ofApplication(came, 'info')?.value).toMatchObject({
      active: 'cpu',
      reason: 'HOST_NOT_NODE',
      message: expect.stringContaining(
        `WHISPER_HIP_NODE names ${launcher}, which is not Node (it ended with code 0`,
      ),
    })
  })
})

// No Electron: a launcher that ignores ELECTRON_RUN_AS_NODE, as Electron does when the fuse is off.
describe('an imitation of Electron without runAsNode', () => {
  it('tries the GPU without a second window', async () => {
    open()
    const execPath = await makeLauncher()
    const came = await start([process.execPath, APP], {
      execPath,
      electron: '33.0.0',
      steps: [['info']],
      last: 'stay',
    })
    expect(came.starts).toBe(1)
    expect(ofApplication(came, 'info')?.value).toMatchObject(onGpu)
  })

  it('opens one window at most for an isolated model, and says what is wrong', async () => {
    const { model } = open()
    const execPath = await makeLauncher()
    const steps = [
      ['isolated', model],
      ['isolated', model],
    ]
    const came = await start([process.execPath, APP], { execPath, electron: '33.0.0', steps })
    expect(came.starts).toBe(2)
    const errors = came.answers.filter(({ copy }) => copy === 0).map(({ error }) => error)
    expect(errors).toEqual([expect.objectContaining(missing), expect.objectContaining(missing)])
  })

  it('runs isolated models in the Node that is named', async () => {
    const { model } = open()
    const execPath = await makeLauncher()
    const steps = [['isolated', model, { nodePath: process.execPath }]]
    const came = await start([process.execPath, APP], { execPath, electron: '33.0.0', steps })
    expect(came.starts).toBe(1)
    expect(ofApplication(came, 'isolated')?.value).toMatchObject({ text: 'Hello there.' })
  })
})

it('a process of an ordinary Node below a copy that lived on is not taken for one', async () => {
  const { model } = open()
  const guard = JSON.stringify([scene.path('launcher')])
  const came = await start(
    [process.execPath, APP],
    { steps: [['info'], ['isolated', model]] },
    { WHISPER_HIP_CHILD: guard },
  )
  expect(ofApplication(came, 'info')?.value).toMatchObject(onGpu)
  expect(ofApplication(came, 'isolated')?.value).toMatchObject({ text: 'Hello there.' })
})
