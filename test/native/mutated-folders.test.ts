import { beforeAll, describe, it } from 'vitest'
import { loadBackends } from '../../lib/backend/addon.ts'
import { folders } from '../fixtures/specimens.ts'
import { expectBounded } from './mutated.ts'
import { temporaryPath } from './support.ts'

beforeAll(() => loadBackends())

describe('a folder of a model that is changed in any place', () => {
  it.each<[name: keyof typeof folders, runs: number]>([
    ['GGUF of candle', 700],
    ['safetensors', 500],
    ['safetensors in two files', 500],
    ['PyTorch of Hugging Face', 300],
    ['ONNX', 250],
    ['ONNX with a merged decoder', 200],
    ['ONNX with its values in other files', 250],
    ['Flax', 300],
  ])('as %s gives a plan that can be executed, or a failure with a code: %d of them', (name, runs) =>
    expectBounded(folders[name](), temporaryPath(name), runs),
  )
})
