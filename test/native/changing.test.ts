import { mkdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { addon, loadBackends } from '../../lib/backend/addon.ts'
import { convertModel, loadModel, WhisperHipError } from '../../lib/index.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'
import { files, folders, type Specimen } from '../fixtures/specimens.ts'
import { cpu, expectNothingLeft, openFiles, pause, rejection, temporaryPath, withModel } from './support.ts'

const all = { ...files, ...folders }
const names = Object.keys(all) as (keyof typeof all)[]

/** A model on the disk, and the file of it that has the most of the weights. */
class Victim {
  readonly path: string
  readonly weights: string
  readonly #sound: Buffer

  constructor(name: string, { main, parts, files }: Specimen) {
    const folder = temporaryPath(name)
    mkdirSync(folder)
    const content = Object.entries(files(parts as never))
    for (const [file, bytes] of content) writeFileSync(join(folder, file), bytes)
    const size = ([, bytes]: (typeof content)[number]) => (typeof bytes === 'string' ? 0 : bytes.length)
    const [largest = ''] = content.toSorted((a, b) => size(b) - size(a))[0] ?? []
    this.path = main === undefined ? folder : join(folder, main)
    this.weights = join(folder, largest)
    this.#sound = readFileSync(this.weights)
  }

  get size(): number {
    return this.#sound.length
  }

  /** Writes to the file what is there. */
  scribble(): void {
    writeFileSync(this.weights, this.#sound, { flag: 'r+' })
  }

  repair(): void {
    writeFileSync(this.weights, this.#sound)
  }
}

/** What loading comes to when `act` is done at its first sign of progress. */
async function loadedWhile(victim: Victim, act: () => void): Promise<string> {
  let acted = false
  const onProgress = () => {
    if (!acted) act()
    acted = true
  }
  try {
    const model = await loadModel(victim.path, { ...cpu, onProgress })
    await model.dispose()
    return 'loaded'
  } catch (error) {
    expect(error).toBeInstanceOf(WhisperHipError)
    return `${(error as WhisperHipError).code}: ${(error as Error).message}`
  } finally {
    expect(acted).toBe(true)
  }
}

beforeAll(() => loadBackends())

describe.each(names)('a file that changes while it is loaded: %s', (name) => {
  let victim: Victim
  beforeAll(() => {
    victim = new Victim(name, all[name]())
  })

  it('cut after its tables were read, it is corrupt', async () => {
    const plan = await readModel(victim.path)
    truncateSync(victim.weights, 4096)
    const options = {
      backend: 'cpu',
      device: 0,
      allowPartial: true,
      flashAttention: true,
    } as const
    const inMemory = () => expect.unreachable('all of it is in files')
    const task = addon().native.loadModel(toNativePlan(plan, inMemory), options, () => {})
    expect(await rejection(task.result)).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
    await closePlan(plan)
    victim.repair()
    await expectNothingLeft()
  })

  it('cut while its tables are read, at any time, it is corrupt or was read', async () => {
    const before = openFiles()
    const outcomes = new Set<string>()
    for (let turns = 0; turns < 40; turns += 2) {
      const reading = readModel(victim.path).then(
        async (plan) => {
          await closePlan(plan)
          return 'plan'
        },
        ({ code }) => code,
      )
      for (let i = 0; i < turns; i++) await new Promise(setImmediate)
      truncateSync(victim.weights, 60)
      outcomes.add(await reading)
      victim.repair()
    }
    expect(outcomes).toContain('ERR_MODEL_CORRUPT')
    outcomes.delete('plan')
    expect([...outcomes]).toEqual(['ERR_MODEL_CORRUPT'])
    expect(openFiles()).toBe(before)
  })

  it.each<[change: string, act: (victim: Victim) => void]>([
    ['cut', ({ weights, size }) => truncateSync(weights, size >> 1)],
    ['extended', ({ weights, size }) => truncateSync(weights, size + 1)],
    ['written to', (victim) => victim.scribble()],
  ])('%s while its weights are read, it is corrupt', async (_, act) => {
    await pause(20) // the clock of the file system is a coarse one
    const outcome = await loadedWhile(victim, () => act(victim))
    victim.repair()
    expect(outcome).toContain('ERR_MODEL_CORRUPT')
    await expectNothingLeft()
  })

  it('deleted or replaced by another, it is the one that was opened', async () => {
    const act = [
      () => rmSync(victim.weights),
      () => {
        writeFileSync(`${victim.weights}.new`, 'no model')
        renameSync(`${victim.weights}.new`, victim.weights)
      },
    ]
    for (const change of act) {
      expect(await loadedWhile(victim, change)).toBe('loaded')
      victim.repair()
    }
  })
})

describe('a file that changes while it is converted', () => {
  it('is corrupt, and nothing is written', async () => {
    const victim = new Victim('converted', files['legacy ggml']())
    await pause(20)
    const target = temporaryPath('converted.bin')
    const onProgress = () => victim.scribble()
    expect(await rejection(convertModel(victim.path, target, { onProgress }))).toMatchObject({
      code: 'ERR_MODEL_CORRUPT',
      message: expect.stringContaining('it was written to while it was read'),
    })
    expect(await rejection(withModel(target, async () => {}))).toMatchObject({ code: 'ERR_MODEL_NOT_FOUND' })
  })
})
