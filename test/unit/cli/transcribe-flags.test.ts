import { describe, expect, it } from 'vitest'
import { UsageError } from '../../../lib/cli/failures.ts'
import { optionsOf, readFlags, toUsage } from '../../../lib/cli/flags.ts'
import { checkRunOptions, loadFlags, runFlags, transcribeFlags } from '../../../lib/cli/transcribe-flags.ts'
import { WhisperHipError } from '../../../lib/errors.ts'
import { loadOptionNames } from '../../../lib/model/load-options.ts'
import { transcribeOptionNames } from '../../../lib/transcribe/options.ts'

describe('every option', () => {
  it('of a transcription has a flag, and no other', () => {
    const written = transcribeOptionNames.filter(
      (name) => !['signal', 'onProgress', 'onSegment'].includes(name),
    )
    expect(Object.keys(runFlags).toSorted()).toEqual(written.toSorted())
  })

  it('of loading has a flag', () => {
    const written = loadOptionNames.filter(
      (name) => !['signal', 'onProgress', 'concurrency', 'maxStreams', 'nodePath'].includes(name),
    )
    expect(Object.keys(loadFlags).toSorted()).toEqual(written.toSorted())
  })

  it.each(Object.entries({ ...loadFlags, ...runFlags }))(
    '%s is its flag in kebab case',
    (name, { flags }) => {
      const [option] = optionsOf({ [name]: { flags, description: '' } })
      expect(option?.attributeName()).toBe(name)
    },
  )
})

describe('values', () => {
  it('reach the library in its types', () => {
    const given = {
      language: 'de',
      beamSize: '3',
      temperature: '0,0.5',
      clips: '0-5,10-',
      suppressTokens: '-1,50',
      suppressBlank: false,
      carryInitialPrompt: true,
      logProbThreshold: 'none',
      compressionRatioThreshold: 'none',
      hallucinationSilenceThreshold: 'none',
      patience: '1.5',
      seed: '7',
      repetitionPenalty: '1.1',
      noRepeatNgramSize: '3',
      prefix: '12',
      batchSize: '16',
      diarize: 'stereo',
    }
    const options = readFlags(runFlags, given)
    expect(options).toEqual({
      language: 'de',
      beamSize: 3,
      temperature: [0, 0.5],
      clips: [[0, 5], [10]],
      suppressTokens: [-1, 50],
      suppressBlank: false,
      carryInitialPrompt: true,
      logProbThreshold: Number.NEGATIVE_INFINITY,
      compressionRatioThreshold: null,
      hallucinationSilenceThreshold: null,
      patience: 1.5,
      seed: 7,
      repetitionPenalty: 1.1,
      noRepeatNgramSize: 3,
      prefix: '12',
      batchSize: 16,
      diarize: 'stereo',
    })
    expect(readFlags(runFlags, { batchSize: 'auto' })).toEqual({ batchSize: 'auto' })
    expect(() => checkRunOptions(options)).not.toThrow()
  })

  it('that were not given are absent', () => {
    expect(readFlags(runFlags, { suppressBlank: true })).toEqual({})
    expect(readFlags(loadFlags, { flashAttention: true })).toEqual({})
    expect(readFlags(loadFlags, { flashAttention: false, device: '1' })).toEqual({
      flashAttention: false,
      device: 1,
    })
    expect(readFlags(loadFlags, { allowPartial: false })).toEqual({ allowPartial: false })
    expect(readFlags(loadFlags, { device: '0000:03:00.0' })).toEqual({ device: '0000:03:00.0' })
  })

  it.each<[Record<string, unknown>, string]>([
    [{ beamSize: '33' }, 'Expected an integer from 1 to 32 for --beam-size but received 33 of type number'],
    [{ batchSize: 'all' }, 'Expected "auto" or an integer from 1 to 64 for --batch-size but received "all"'],
    [
      { batchSize: '8', conditionOnPreviousText: true },
      'Expected 1 or "auto" beside --condition-on-previous-text for --batch-size but received 8',
    ],
    [
      { hallucinationSilenceThreshold: '2' },
      'Expected no value without --timestamps "word" for --hallucination-silence-threshold but received 2',
    ],
    [{ diarize: 'stereo', channel: 'split' }, 'Expected "mix" beside --diarize for --channel but received'],
    [{ beamSize: 'many' }, 'for --beam-size but received "many" of type string'],
    [{ temperature: '0.5,0.2' }, 'for --temperature[1] but received 0.2'],
    [
      { task: 'transscribe' },
      'for --task but received "transscribe" of type string; did you mean transcribe?',
    ],
    [{ grammarRule: 'x' }, 'Expected no value without --grammar for --grammar-rule'],
    [{ clips: '0-5', offset: '1' }, 'Expected no value beside --clips for --offset'],
    [{ language: 'klingon' }, 'for --language but received "klingon"'],
  ])('%j is wrong usage, told in flags', (given, text) => {
    let thrown: unknown
    try {
      checkRunOptions(readFlags(runFlags, given))
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(UsageError)
    expect((thrown as UsageError).message).toContain(text)
  })

  it('other errors stay what they are', () => {
    const error = new WhisperHipError('ERR_DOWNLOAD', 'for language but')
    expect(toUsage(error, transcribeFlags)).toBe(error)
  })
})
