import { describe, expect, it } from 'vitest'
import type { WhisperHipError } from '../../../lib/errors.ts'
import { languageTokens } from '../../../lib/model/languages.ts'
import { parseLanguage } from '../../../lib/transcribe/languages.ts'

const largeV3 = { multilingual: true, languages: languageTokens(51_866) }
const base = { multilingual: true, languages: languageTokens(51_865) }
const english = { multilingual: false, languages: ['en'] }

const code = (value: unknown, model = largeV3) => parseLanguage(value, model).language

function refusal(value: unknown, model = largeV3): string {
  try {
    parseLanguage(value, model)
  } catch (error) {
    expect((error as WhisperHipError).code).toBe('ERR_INVALID_ARGUMENT')
    return (error as WhisperHipError).message
  }
  throw new Error(`accepted ${JSON.stringify(value)}`)
}

describe('one language', () => {
  it.each([
    ['en-US', 'en'],
    ['en_US.UTF-8', 'en'],
    ['de_DE@euro', 'de'],
    ['DE-at', 'de'],
    [' fr ', 'fr'],
    ['zh-TW', 'zh'],
    ['zh-Hant', 'zh'],
    ['zh-Hans-CN', 'zh'],
    ['zh-yue', 'yue'],
    ['yue-Hant-HK', 'yue'],
    ['cmn', 'zh'],
    ['cmn-Hans-CN', 'zh'],
    ['pt-BR', 'pt'],
    ['sr-Latn-RS', 'sr'],
    ['es-419', 'es'],
    ['jv', 'jw'],
    ['jw', 'jw'],
    ['nb', 'no'],
    ['nb-NO', 'no'],
    ['nn-NO', 'nn'],
    ['iw', 'he'],
    ['in', 'id'],
    ['ji', 'yi'],
    ['mo', 'ro'],
    ['sh', 'sr'],
    ['fil', 'tl'],
    ['fil-PH', 'tl'],
    ['deu', 'de'],
    ['ger', 'de'],
    ['fra', 'fr'],
    ['fre', 'fr'],
    ['ces', 'cs'],
    ['gre', 'el'],
    ['ell', 'el'],
    ['arz', 'ar'],
    ['prs', 'fa'],
    ['swh', 'sw'],
    ['drh', 'mn'],
    ['haw', 'haw'],
    ['german', 'de'],
    ['Castilian', 'es'],
    ['Mandarin', 'zh'],
    ['haitian creole', 'ht'],
  ])('%j is %s', (value, expected) => {
    expect(code(value)).toBe(expected)
  })

  it('is refused with the one that a country speaks, not with what is spelt alike', () => {
    expect(refusal('gr')).toMatch(/"gr" of type string; did you mean el\?$/)
    expect(refusal('jp')).toMatch(/did you mean ja\?$/)
    expect(refusal('cn')).toMatch(/did you mean zh\?$/)
    expect(refusal('kr')).toMatch(/did you mean ko\?$/)
    expect(refusal('cz')).toMatch(/did you mean cs\?$/)
    expect(refusal('dk')).toMatch(/did you mean da\?$/)
    expect(refusal('ua')).toMatch(/did you mean uk\?$/)
    expect(refusal('us')).toMatch(/did you mean en\?$/)
    expect(refusal('sp')).toMatch(/did you mean es\?$/)
  })

  it('is refused by its name where Whisper does not know it', () => {
    expect(refusal('gsw')).toMatch(/"gsw" is Swiss German, which it does not know.*did you mean de\?$/)
    expect(refusal('se')).toMatch(/"se" is Northern Sami, which it does not know.*did you mean sv\?$/)
    expect(refusal('eo')).toMatch(
      /"eo" is Esperanto, which it does not know\) for language but received "eo" of type string$/,
    )
    expect(refusal('zu-ZA')).toContain('"zu" is Zulu')
  })

  it('is refused where only another model knows it', () => {
    expect(refusal('yue', base)).toMatch(/"yue" is cantonese, which it does not know.*did you mean zh\?$/)
    expect(refusal('cantonese', base)).toMatch(/did you mean zh\?$/)
  })

  it.each(['xx', 'qq', 'zzz', '', '-', 'C', 'constructor', '__proto__', 'C.UTF-8'])(
    'is refused without a guess: %j',
    (value) => {
      expect(refusal(value)).not.toContain('did you mean')
    },
  )

  it('is compared with names when it is a word', () => {
    expect(refusal('germn')).toMatch(/did you mean german\?$/)
    expect(refusal('portugese')).toMatch(/did you mean portuguese\?$/)
  })

  it('is detected with auto', () => {
    expect(parseLanguage('auto', base)).toEqual({ language: '', languages: [] })
    expect(parseLanguage('AUTO', english)).toEqual({ language: 'en', languages: [] })
  })
})

describe('several languages', () => {
  it('are those that are detected', () => {
    expect(parseLanguage(['de', 'French', 'en-US'], base)).toEqual({
      language: '',
      languages: ['de', 'fr', 'en'],
    })
  })

  it('may be one, which needs no detection', () => {
    expect(parseLanguage(['de'], base)).toEqual({ language: 'de', languages: [] })
    expect(parseLanguage(['de', 'deu', 'German'], base)).toEqual({ language: 'de', languages: [] })
    expect(parseLanguage(['en'], english)).toEqual({ language: 'en', languages: [] })
  })

  it('are refused one by one', () => {
    expect(refusal(['de', 'gr'])).toContain('for language[1]')
    expect(refusal(['de', 'auto'])).toContain('for language[1]')
    expect(refusal(['en', 'de'], english)).toContain('English-only')
    expect(refusal([])).toContain('for language')
    expect(refusal(['de', 5])).toContain('for language[1]')
  })
})
