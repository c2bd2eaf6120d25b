import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { optionsOf, toUsage } from '../../../../lib/cli/flags.ts'
import {
  checkStreamOptions,
  choiceFlags,
  listenFlags,
  readChoice,
  readStreamFlags,
  sampleFlags,
  speechFlags,
  streamFlags,
} from '../../../../lib/cli/listen/flags.ts'
import { WhisperHipError } from '../../../../lib/errors.ts'
import { streamOptionNames } from '../../../../lib/stream/options.ts'

/** What a command line gives to the library. */
function read(...args: string[]): Record<string, unknown> {
  const command = new Command().exitOverride().option('--no-vad')
  for (const option of [sampleFlags, streamFlags, speechFlags].flatMap(optionsOf)) command.addOption(option)
  return readStreamFlags(command.parse(args, { from: 'user' }).opts())
}

describe('flags', () => {
  it('are there for every option of a live transcription, and no other', () => {
    const names = Object.keys({ ...sampleFlags, ...streamFlags })
    expect([...names, 'vad', 'signal'].toSorted()).toEqual([...streamOptionNames].toSorted())
    expect(Object.keys(speechFlags)).toHaveLength(6)
  })

  it.each(Object.entries({ ...streamFlags, ...speechFlags }))(
    '%s is its flag in kebab case',
    (name, { flags }) => {
      const [option] = optionsOf({ [name]: { flags, description: '' } })
      expect(option?.attributeName()).toBe(name)
    },
  )

  it('are absent where they were not given, but for the policy of captions', () => {
    expect(read()).toEqual({ policy: 'agreement' })
  })

  it('reach the library under the names of its options, in its types', () => {
    expect(
      read(
        ...['--rate', '48000', '--channels', '2', '--format', 'f32le', '--policy', 'phrase', '--no-partials'],
        ...['--step', '0.5', '--language', 'de', '--task', 'translate', '--initial-prompt', 'Hm.'],
        ...[
          '--hotwords',
          'GGUF',
          '--beam-size',
          '2',
          '--temperature',
          '0,0.4',
          '--no-speech-threshold',
          '0.5',
        ],
        ...['--suppress-tokens', '-1,50', '--compression-ratio-threshold', 'none', '--threads', '3'],
        ...[
          '--vad-threshold',
          '0.4',
          '--vad-min-silence-duration-ms',
          '800',
          '--vad-max-speech-duration-s',
          '20',
        ],
      ),
    ).toEqual({
      sampleRate: 48_000,
      channels: 2,
      format: 'f32le',
      policy: 'phrase',
      partials: false,
      step: 0.5,
      language: 'de',
      task: 'translate',
      initialPrompt: 'Hm.',
      hotwords: 'GGUF',
      beamSize: 2,
      temperature: [0, 0.4],
      noSpeechThreshold: 0.5,
      suppressTokens: [-1, 50],
      compressionRatioThreshold: null,
      threads: 3,
      vad: { threshold: 0.4, minSilenceDurationMs: 800, maxSpeechDurationS: 20 },
    })
    expect(read('--no-vad')).toMatchObject({ vad: false })
  })

  it('take the policy alignatt and its threshold', () => {
    expect(read('--policy', 'alignatt', '--frame-threshold', '10')).toEqual({
      policy: 'alignatt',
      frameThreshold: 10,
    })
    expect(() => checkStreamOptions(read('--frame-threshold', '10'))).toThrow(
      'Expected no value without --policy "alignatt" for --frame-threshold but received 10',
    )
  })

  it('choose a track and a channel', () => {
    const chosen = (...args: string[]) => {
      const command = new Command().exitOverride()
      for (const option of optionsOf(choiceFlags)) command.addOption(option)
      return readChoice(command.parse(args, { from: 'user' }).opts())
    }
    expect(chosen()).toEqual({ channel: 'mix', track: undefined })
    expect(chosen('--channel', 'mix', '--track', 'deu')).toEqual({ channel: 'mix', track: 'deu' })
    expect(chosen('--channel', '1', '--track', '0')).toEqual({ channel: 1, track: 0 })
    for (const wrong of ['split', 'left', '-1', '64', '1.5', ''])
      expect(() => chosen(`--channel=${wrong}`)).toThrow(/^Expected .* for --channel but received/)
    for (const wrong of ['german', '-1', '1000', ''])
      expect(() => chosen(`--track=${wrong}`)).toThrow(/^Expected .* for --track but received/)
  })

  it.each([
    ['for sampleRate but', 'for --rate but'],
    ['for vad.minSilenceDurationMs but', 'for --vad-min-silence-duration-ms but'],
    ['for vad but', 'for --no-vad but'],
    ['for temperature[1] but', 'for --temperature[1] but'],
    ['for maxSegmentLength but', 'for --max-segment-length but'],
    ['for constructor but', 'for constructor but'],
  ])('stand in messages: %s becomes %s', (message, expected) => {
    expect(toUsage(new WhisperHipError('ERR_INVALID_ARGUMENT', message), listenFlags)).toMatchObject({
      message: expected,
    })
  })
})
