import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readHuggingFaceConfig } from '../../../lib/model/formats/hf-config.ts'
import { configJson } from '../../fixtures/hf-files.ts'
import { tinyHyperparameters } from '../../fixtures/tiny-model.ts'
import { failureOf, temporaryFolder } from './support.ts'

const root = temporaryFolder()
let folders = 0

function folderOf(text: string | Uint8Array): string {
  const folder = join(root, `${folders++}`)
  mkdirSync(folder)
  writeFileSync(join(folder, 'config.json'), text)
  return folder
}

const withFields = (fields: Record<string, unknown>) =>
  folderOf(JSON.stringify({ ...configJson(), ...fields }))

describe('config.json', () => {
  it('has all hyperparameters', async () => {
    expect(await readHuggingFaceConfig(withFields({}))).toEqual(tinyHyperparameters())
  })

  it('may say less, and may be missing', async () => {
    expect(await readHuggingFaceConfig(folderOf('{"d_model":64,"encoder_layers":null}'))).toEqual({
      audioState: 64,
      textState: 64,
    })
    expect(await readHuggingFaceConfig(root)).toEqual({})
    expect(await readHuggingFaceConfig(null)).toEqual({})
  })

  it.each([
    ['model_type', 'wav2vec2', '"wav2vec2"'],
    ['model_type', { a: 1 }, 'an object'],
    ['activation_function', 'relu', '"relu"'],
    ['scale_embedding', true, 'true'],
    ['encoder_ffn_dim', 255, '255'],
    ['decoder_ffn_dim', 512, '512'],
    ['quantization_config', { quant_method: 'bitsandbytes' }, 'quantization_config'],
  ])('with %s %j is refused', async (field, value, shown) => {
    const failure = await failureOf(readHuggingFaceConfig(withFields({ [field]: value })))
    expect(failure.code).toBe('ERR_MODEL_UNSUPPORTED')
    expect(failure.message).toContain(field)
    expect(failure.message).toContain(shown)
  })

  it.each([0, -1, 1.5, 1e9, '64', [64], true])('with d_model %j is damaged', async (value) => {
    const failure = await failureOf(readHuggingFaceConfig(withFields({ d_model: value })))
    expect(failure.code).toBe('ERR_MODEL_CORRUPT')
    expect(failure.message).toContain('d_model is')
  })

  it('with a nest in place of a number is damaged, not the end of the stack', async () => {
    const text = `{"d_model":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
    const failure = await failureOf(readHuggingFaceConfig(folderOf(text)))
    expect(failure.message).toContain('d_model is a list, where')
  })

  it.each([
    ['nothing', ''],
    ['another text', 'whisper'],
    ['an array', '[]'],
    ['null', 'null'],
    ['broken UTF-8', Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)],
    ['a deep nest', '['.repeat(200_000)],
    ['too much', `{"a":"${'a'.repeat(1 << 18)}"}`],
  ])('of %s is damaged', async (_, text) => {
    expect((await failureOf(readHuggingFaceConfig(folderOf(text)))).code).toBe('ERR_MODEL_CORRUPT')
  })
})
