import { beforeAll, describe, it } from 'vitest'
import { loadBackends } from '../../lib/backend/addon.ts'
import { files } from '../fixtures/specimens.ts'
import { expectBounded } from './mutated.ts'
import { temporaryPath } from './support.ts'

beforeAll(() => loadBackends())

describe('a model that is changed in any place', () => {
  // 10,000 together with those of mutated-folders.test.ts, most of what is read fast.
  it.each<[name: keyof typeof files, runs: number]>([
    ['legacy ggml', 1600],
    ['GGUF of the specification', 1100],
    ['GGUF of transcribe.cpp', 1100],
    ['GGUF with other keys', 1100],
    ['PyTorch of OpenAI', 500],
    ['CTranslate2', 800],
    ['CTranslate2 of int8', 800],
  ])('as %s gives a plan that can be executed, or a failure with a code: %d of them', (name, runs) =>
    expectBounded(files[name](), temporaryPath(name), runs),
  )
})
