import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Abilities, abilitiesOf } from '../../../lib/model/abilities.ts'
import { closePlan, readModel } from '../../../lib/model/formats/index.ts'
import { languageTokens } from '../../../lib/model/languages.ts'
import type { LoadPlan } from '../../../lib/model/plan.ts'
import { shapeOf } from '../../../lib/model/shapes.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'
import { configJson } from '../../fixtures/hf-files.ts'
import { huggingFaceTensors } from '../../fixtures/hf-names.ts'
import { buildSafetensors } from '../../fixtures/safetensors-builder.ts'
import { temporaryFolder } from './support.ts'

const root = temporaryFolder()

const planOf = (shape: Parameters<typeof shapeOf>[0]) =>
  ({ format: 'ggml', hyperparameters: shapeOf(shape), sources: [] }) as unknown as LoadPlan
const abilities = (shape: Parameters<typeof shapeOf>[0], name = 'model.bin') =>
  abilitiesOf(planOf(shape), name)

describe('what a model can do', () => {
  it.each(['tiny', 'base', 'small', 'medium', 'large-v3'] as const)('%s: all', async (shape) => {
    expect(await abilities(shape)).toMatchObject({ translates: 'yes', isDistilled: false })
    expect((await abilities(shape)).languages.length).toBeGreaterThan(98)
  })

  it('is told by the catalogue', async () => {
    expect(await abilities('large-v3-turbo', 'large-v3-turbo')).toMatchObject({
      translates: 'no',
      isDistilled: false,
      languages: languageTokens(51_866),
    })
    expect(await abilities('large-v3-turbo', 'turbo')).toMatchObject({ translates: 'no' })
    expect(await abilities('distil-large-v3.5', 'distil-large-v3.5')).toEqual({
      translates: 'no',
      languages: ['en'],
      isDistilled: false,
    })
  })

  it('is guessed by the shape', async () => {
    expect(await abilities('large-v3-turbo')).toMatchObject({ translates: 'unlikely', isDistilled: false })
    expect(await abilities('distil-large-v3.5')).toMatchObject({ translates: 'unlikely', isDistilled: true })
  })

  it('is told by the configuration beside it', async () => {
    const options = { layers: 1, multilingual: true }
    const stated = async (generation: object) => {
      const folder = join(root, `${Math.random()}`)
      mkdirSync(folder)
      writeFileSync(join(folder, 'model.safetensors'), buildSafetensors(huggingFaceTensors(options)))
      writeFileSync(join(folder, 'config.json'), JSON.stringify(configJson(options)))
      writeFileSync(join(folder, 'generation_config.json'), JSON.stringify(generation))
      const plan = await readModel(folder)
      try {
        return await abilitiesOf(plan, 'mine')
      } finally {
        await closePlan(plan)
      }
    }
    expect(await stated({})).toMatchObject({ translates: 'yes' })
    expect(await stated({ is_multilingual: false })).toMatchObject({ translates: 'no', languages: ['en'] })
    expect(await stated({ lang_to_id: { '<|ja|>': 50266, '<|en|>': 50259 } })).toMatchObject({
      languages: ['en', 'ja'],
    })
    expect(await stated({ task_to_id: { transcribe: 50359 } })).toMatchObject({ translates: 'no' })
    expect(await stated({ task_to_id: { transcribe: 50359, translate: 50358 } })).toMatchObject({
      translates: 'yes',
    })
  })
})

describe('what it cannot', () => {
  const parse = (options: object, able: Partial<Abilities>) =>
    parseTranscribeOptions(options, {
      multilingual: true,
      languages: able.languages ?? languageTokens(51_866),
      vocabularySize: 51_866,
      maxThreads: 1,
      tokenize: () => [],
      abilities: { translates: 'yes', isDistilled: false, ...able },
    })

  it('is refused where it is known', () => {
    expect(() => parse({ task: 'translate' }, { translates: 'no' })).toThrow(
      'the model was not trained to translate',
    )
    expect(() => parse({ language: 'de' }, { languages: ['en'] })).toThrow('a language of the model')
    expect(parse({}, { languages: ['en'] }).native.language).toBe('en')
    expect(
      parse({ language: 'en-GB', task: 'transcribe' }, { languages: ['en'], translates: 'no' }).warnings,
    ).toEqual([])
  })

  it('is a warning where it is guessed', () => {
    const guessed = { translates: 'unlikely', isDistilled: true } as const
    expect(parse({ task: 'translate' }, guessed).warnings).toMatchObject([{ code: 'MODEL_UNFIT' }])
    expect(parse({ language: 'German' }, guessed).warnings).toMatchObject([
      { code: 'MODEL_UNFIT', message: expect.stringContaining('for de') },
    ])
    expect(parse({ language: 'de', task: 'translate' }, guessed).warnings).toHaveLength(2)
    expect(parse({ language: 'en' }, guessed).warnings).toEqual([])
    expect(parse({}, guessed).warnings).toEqual([])
  })
})
