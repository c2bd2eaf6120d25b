import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addon } from '../../lib/backend/addon.ts'
import { loadModel, type Model } from '../../lib/index.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { cpu, greedy, hum, pause, rejection, speaking, withModel } from './support.ts'

/** A model that says something, with random weights. */
const babbling = buildGgml({ audioContext: 64, layers: 1 })
/** A model that says "Hello there.", for tests of what disturbs it. */
let plain: Model

beforeAll(async () => {
  plain = await loadModel(speaking({ script: [{ text: ' Hello there.', start: 0, end: 2 }] }), cpu)
})
afterAll(() => plain.dispose())

const sound = hum(5)

/** Every way to choose tokens. */
const ways = [
  { beamSize: 1, temperature: 0 },
  { beamSize: 5, temperature: 0 },
  { beamSize: 8, temperature: 0, timestamps: 'none' },
  { temperature: 0.5, bestOf: 3 },
  { temperature: 1, timestamps: 'none' },
] as const

describe('text', () => {
  it.each(['日本語のテキスト。', 'Grüße aus Köln', '👩‍👩‍👧‍👦 and 😀', 'नमस्ते दुनिया', '\u{10ffff}\u{1}'])(
    'of %s is whole, though each token is a byte',
    async (text) => {
      await withModel(speaking({ script: [{ text, start: 0, end: 3 }] }), async (model) => {
        const { segments } = await model.transcribe(sound, greedy)
        expect(segments).toMatchObject([{ text, start: 0, end: 3 }])
        const tokens = segments[0]?.tokens ?? []
        expect(tokens).toHaveLength(Buffer.byteLength(text))
        expect(tokens.map((token) => token.text).join('')).toBe(text)
      })
    },
  )

  it('of a character that a time stamp cuts goes to the segment in which it ends', async () => {
    const bytes = new TextEncoder().encode('あい')
    const script = [
      { text: bytes.subarray(0, 2), start: 0, end: 1 },
      { text: bytes.subarray(2), start: 1, end: 2 },
    ]
    await withModel(speaking({ script }), async (model) => {
      const { text, segments } = await model.transcribe(sound, greedy)
      expect(text).toBe('あい')
      expect(segments.at(-1)).toMatchObject({ text: 'あい', start: 1, end: 2 })
    })
  })

  it.each([
    ['half a character at the end', [0x41, 0xe3, 0x81], 'A\ufffd'],
    ['half a character in the middle', [0x41, 0xe3, 0x81, 0x42], 'A\ufffdB'],
    ['a stray continuation', [0x41, 0x80, 0x42], 'A\ufffdB'],
    ['an overlong form', [0x41, 0xc0, 0xaf, 0x42], 'A\ufffd\ufffdB'],
    ['a surrogate', [0xed, 0xa0, 0x80], '\ufffd\ufffd\ufffd'],
    ['bytes of no character', [0xff, 0xfe], '\ufffd\ufffd'],
  ])('that is not UTF-8 (%s) is repaired', async (_, bytes, expected) => {
    await withModel(
      speaking({ script: [{ text: Uint8Array.from(bytes), start: 0, end: 3 }] }),
      async (model) => {
        const { segments } = await model.transcribe(sound, greedy)
        expect(segments.map(({ text }) => text)).toEqual([expected])
        expect(segments[0]?.text.isWellFormed()).toBe(true)
      },
    )
  })

  it('has the times of the whole audio, in every window', async () => {
    const { segments } = await plain.transcribe(hum(65), greedy)
    expect(segments.map(({ start, end }) => [start, end])).toEqual([
      [0, 2],
      [30, 32],
      [60, 62],
    ])
    const clipped = await plain.transcribe(hum(65), { ...greedy, clips: [[10, 20], { start: 50 }] })
    expect(clipped.segments.map(({ id, start, end }) => [id, start, end])).toEqual([
      [0, 10, 12],
      [1, 50, 52],
    ])
    const ending = await plain.transcribe(hum(33), { ...greedy, offset: 30 })
    expect(ending.segments).toMatchObject([{ start: 30, end: 32 }])
  })

  it('comes with the language that the model hears', async () => {
    const script = [{ text: ' Guten Tag.', start: 0, end: 2 }]
    // The third language is German.
    await withModel(speaking({ script, multilingual: true, languageId: 2 }), async (model) => {
      const { language, languageProbability, segments } = await model.transcribe(sound)
      expect(language).toBe('de')
      expect(languageProbability).toBeCloseTo(1)
      expect(segments).toMatchObject([{ text: ' Guten Tag.', language: 'de' }])
      const detected = await model.detectLanguage(sound)
      expect(detected.language).toBe('de')
      expect(Object.values(detected.all).reduce((sum, value) => sum + value)).toBeCloseTo(1)
    })
  })
})

const allTokens = Array.from({ length: 51_864 }, (_, id) => id)

describe('when no token is left to choose from', () => {
  it.each([
    ['an expression that matches all', { suppressRegex: '[\\s\\S]*' }],
    ['all numbers but the end of the text', { suppressTokens: allTokens.filter((id) => id !== 50_256) }],
  ])('because of %s, the text is empty', async (_, options) => {
    await withModel(babbling, async (model) => {
      for (const way of ways) {
        const { text } = await model.transcribe(hum(1), { language: 'en', maxTokens: 5, ...way, ...options })
        expect(text).toBe('')
      }
    })
  })
})

describe('a temperature next to zero', () => {
  it.each([Number.MIN_VALUE, 1e-40, 1e-30, 1e-7])('(%d) chooses as zero does', async (temperature) => {
    expect((await plain.transcribe(sound, { language: 'en', temperature })).text).toBe('Hello there.')
  })
})

describe('a regular expression', () => {
  it('keeps tokens from being written', async () => {
    await withModel(babbling, async (model) => {
      const options = { ...greedy, maxTokens: 20, timestamps: 'none', suppressRegex: '.*[^0-9].*' } as const
      const { text } = await model.transcribe(hum(1), options)
      expect(text).toMatch(/^[0-9]+$/)
    })
  })

  it.each([
    '(a|a)*b',
    '(([a-z])+.)+[A-Z]([a-z])+',
    '((a?){120}){120}',
    '((((((((.?)*)*)*)*)*)*)*)*x',
    `${'('.repeat(120)}.${')'.repeat(120)}+`,
  ])(
    'that others take for ever for (%s) does not hold up the job',
    { timeout: 20_000 },
    async (suppressRegex) => {
      // Letters only, as long as a vocabulary may have them.
      const job = plain.transcribe(sound, { ...greedy, suppressRegex })
      await Promise.race([job, pause(500)])
      job.cancel()
      await job.catch(() => {})
      const begun = performance.now()
      while (addon().native.counters().tasks > 0) await pause(5)
      expect(performance.now() - begun).toBeLessThan(2000)
    },
  )

  it('that is too large is refused', async () => {
    const error = await rejection(plain.transcribe(sound, { ...greedy, suppressRegex: '((a?){200}){200}' }))
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('suppressRegex'),
    })
  })
})

describe('a grammar', () => {
  it('is followed', async () => {
    await withModel(babbling, async (model) => {
      const options = { ...greedy, timestamps: 'none', maxTokens: 5 } as const
      for (const way of [{}, { beamSize: 5 }, { temperature: 1 }]) {
        const grammar = 'root ::= ("ba" | "ge")+'
        expect((await model.transcribe(hum(1), { ...options, ...way, grammar })).text).toMatch(
          /^(?=.)(ba|ge)*[bg]?$/,
        )
        const digits = { grammar: 'number ::= [0-9]+', grammarRule: 'number' }
        expect((await model.transcribe(hum(1), { ...options, ...way, ...digits })).text).toMatch(/^[0-9]+$/)
      }
    })
  })

  it.each([
    ['no rule', 'nothing here'],
    ['a rule of another name', 'other ::= "a"'],
    ['an open class', 'root ::= [a-'],
    ['an open group', 'root ::= ("a"'],
    ['a repetition of nothing', 'root ::= *'],
    ['a bad escape', 'root ::= "\\q"'],
    ['left recursion through others', 'root ::= a "x"\na ::= b\nb ::= root'],
    ['left recursion through what may be empty', 'root ::= a? root "x"\na ::= "y"'],
    ['a repetition of what may be empty', 'root ::= ("a"?)*'],
    ['half a character', 'root ::= "\\xff'],
  ])('with %s is refused with a reason, and the model goes on', async (_, grammar) => {
    const error = await rejection(plain.transcribe(sound, { ...greedy, grammar }))
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      message: expect.stringContaining('grammar'),
    })
    expect((await plain.transcribe(sound, greedy)).text).toBe('Hello there.')
  })

  it('of rubbish never ends the process', async () => {
    const alphabet = [
      'root',
      ' ::= ',
      'a',
      '"b"',
      '[c-d]',
      '[^e]',
      '(',
      ')',
      '|',
      '*',
      '+',
      '?',
      '\n',
      '\\',
      '"',
      '[',
    ]
    for (let round = 0; round < 150; round++) {
      const length = 1 + (round % 9)
      const body = Array.from(
        { length },
        (_, i) => alphabet[(round * 31 + i * i * 7 + i * round) % alphabet.length],
      )
      const job = plain.transcribe(hum(0.2), {
        ...greedy,
        maxTokens: 1,
        grammar: `root ::= ${body.join('')}`,
      })
      const error = await job.then(
        () => undefined,
        (reason) => reason,
      )
      if (error !== undefined) expect(error).toMatchObject({ code: 'ERR_INVALID_ARGUMENT' })
    }
  })
})

describe('a prompt', () => {
  it.each([
    ['one endless word', 'a'.repeat(10_000)],
    ['characters of four bytes', '😀'.repeat(4000)],
    ['lone surrogates', '\ud800'.repeat(100)],
    ['special tokens', '<|endoftext|><|startoftranscript|>[_EOT_][_SOT_]'],
  ])('of %s does no harm', async (_, initialPrompt) => {
    const options = { ...greedy, initialPrompt, carryInitialPrompt: true, maxTokens: 2 }
    const { text } = await plain.transcribe(hum(3), options)
    expect(text.isWellFormed()).toBe(true)
  })
})
