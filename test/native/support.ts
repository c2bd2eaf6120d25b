import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import v8 from 'node:v8'
import vm from 'node:vm'
import { afterAll, expect } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { type LoadOptions, loadModel, type Model, type TranscribeOptions } from '../../lib/index.ts'
import type { ModelInput } from '../../lib/model/types.ts'
import { buildSpeaking, type SpeakingOptions } from '../fixtures/speaking-model.ts'

export const cpu = { backend: 'cpu' } as const

/** The fastest way to the text. */
export const greedy = { language: 'en', beamSize: 1, temperature: 0 } satisfies TranscribeOptions

const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-native-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A file of this test file's own, which is removed at the end. */
export function writeTemporary(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

/** A path in the folder of {@link writeTemporary}. */
export const temporaryPath = (name: string) => join(folder, name)

/** Loads a model for the time of a call. */
export async function withModel<T>(
  input: ModelInput,
  use: (model: Model) => Promise<T>,
  options: LoadOptions = {},
): Promise<T> {
  const model = await loadModel(input, { ...cpu, ...options })
  try {
    return await use(model)
  } finally {
    await model.dispose()
  }
}

/** A model that says a text in each window. Its encoder is too small to take any time. */
export function speaking(options: SpeakingOptions): Uint8Array {
  return buildSpeaking({ audioContext: 64, layers: 1, ...options })
}

/** Sound of 16 kHz. */
export function hum(seconds: number): Float32Array {
  return Float32Array.from({ length: Math.round(seconds * 16_000) }, (_, i) => 0.3 * Math.sin(i / 7))
}

/** What a promise rejects with. */
export async function rejection(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  expect.unreachable('it resolved')
}

export const openFiles = () => readdirSync('/proc/self/fd').length

v8.setFlagsFromString('--expose-gc')
export const collectGarbage = vm.runInNewContext('gc') as () => void

/** Lets callbacks and finalizers run. */
export const pause = (milliseconds = 0) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Waits until no native object is alive, collecting garbage meanwhile. */
export async function expectNothingLeft(): Promise<void> {
  const nothing = { models: 0, tasks: 0, byteStores: 0 }
  for (let round = 0; round < 100; round++) {
    collectGarbage()
    await pause(10)
    if (JSON.stringify(addon().native.counters()) === JSON.stringify(nothing)) return
  }
  expect(addon().native.counters()).toEqual(nothing)
}
