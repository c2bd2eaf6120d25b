import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'
import { type ErrorCode, WhisperHipError } from '../../../lib/errors.ts'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'

/** The WhisperHipError with which a promise is rejected; anything else fails the test. */
export async function failureOf(promise: Promise<unknown>): Promise<WhisperHipError> {
  const outcome = await promise.then(
    () => 'no failure',
    (error: unknown) => error,
  )
  expect(outcome).toBeInstanceOf(WhisperHipError)
  return outcome as WhisperHipError
}

/** What reading the input comes to: the code of the failure, or `plan`. Never throws anything else than WhisperHipError. */
export async function outcomeOf(input: string | Uint8Array): Promise<ErrorCode | 'plan'> {
  try {
    await closePlan(await readModel(input))
    return 'plan'
  } catch (error) {
    if (error instanceof WhisperHipError) return error.code
    throw error
  }
}

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'whisper-hip-model-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Runs `body` with one bit of `bytes` the other way round. */
export async function withFlippedBit<T>(bytes: Uint8Array, bit: number, body: () => Promise<T>): Promise<T> {
  const at = bit >> 3
  const mask = 1 << (bit & 7)
  bytes[at] = (bytes[at] as number) ^ mask
  try {
    return await body()
  } finally {
    bytes[at] = (bytes[at] as number) ^ mask
  }
}
