import fc from 'fast-check'
import { expect } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { closePlan, readModel } from '../../lib/model/formats/index.ts'
import type { LoadPlan } from '../../lib/model/plan.ts'
import { toNativePlan } from '../../lib/model/plan-to-native.ts'
import { mutations } from '../fixtures/mutations.ts'
import { SpecimenFolder } from '../fixtures/specimen-folder.ts'
import type { Specimen } from '../fixtures/specimens.ts'
import { bounded } from './bounded.ts'
import { expectNothingLeft, openFiles } from './support.ts'

/** The same files in every run; another number makes others. A failure says which one it was, and how to come to it. */
const seed = Number(process.env.WHISPER_HIP_SEED ?? 1)
/** Of the plans that come of it, one of so many is executed. */
const EXECUTED = 10

const REFUSALS = ['ERR_MODEL_FORMAT', 'ERR_MODEL_CORRUPT', 'ERR_MODEL_UNSUPPORTED', 'ERR_MODEL_NOT_FOUND']

/**
 * Changes a sound model in any place, again and again. Each time it must give a plan that can be executed, or a failure with a code that says
 * what is wrong, in bounded time and memory.
 * @param path a folder that is made
 * @param numRuns models that are tried
 */
export async function expectBounded(specimen: Specimen, path: string, numRuns: number): Promise<void> {
  const folder = new SpecimenFolder(path, specimen)
  // The first rounds compile the readers, and open what stays open.
  expect(await outcomeOf(folder.path, true)).toBe('plan')
  const before = openFiles()
  const counts: Record<string, number> = { plan: 0 }
  await fc.assert(
    fc.asyncProperty(mutations(), async (mutation) => {
      const isExecuted = (counts.plan ?? 0) % EXECUTED === 0
      const outcome = await folder.with(mutation, () => bounded(() => outcomeOf(folder.path, isExecuted)))
      fc.pre(outcome !== undefined)
      counts[outcome as string] = (counts[outcome as string] ?? 0) + 1
      expect(openFiles()).toBe(before)
    }),
    { seed, numRuns },
  )
  // Otherwise the changes would be all too small, or all too large.
  expect(counts.plan).toBeGreaterThan(numRuns / 50)
  expect(counts.ERR_MODEL_CORRUPT).toBeGreaterThan(numRuns / 10)
  await expectNothingLeft()
}

/** `plan`, or the code of the failure. Whatever else is thrown is an error of the readers. */
async function outcomeOf(path: string, isExecuted: boolean): Promise<string> {
  try {
    const plan = await readModel(path)
    try {
      if (isExecuted) await execute(plan)
    } finally {
      await closePlan(plan)
    }
    return 'plan'
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    if (REFUSALS.includes(code)) return code
    throw error
  }
}

async function execute(plan: LoadPlan): Promise<void> {
  const options = {
    backend: 'cpu',
    device: 0,
    allowPartial: true,
    flashAttention: true,
  } as const
  const inMemory = () => expect.unreachable('all of it is in files')
  const model = await addon().native.loadModel(toNativePlan(plan, inMemory), options, () => {}).result
  await model.dispose()
}
