import { checkArray, invalidArgument } from '../check.ts'
import { nearest } from '../nearest.ts'
import { explainCode, whisperCode } from './language-codes.ts'
import { languageNames } from './language-names.ts'

/** The languages that a transcription may have. */
export interface LanguageChoice {
  /** ISO code, or '' to detect it. */
  language: string
  /** ISO codes of those that it may be when it is detected; empty for all. */
  languages: string[]
}

interface KnownLanguages {
  multilingual: boolean
  /** ISO codes. */
  languages: readonly string[]
}

/**
 * Finds the languages that an option names.
 *
 * @param value one language, an array of those to choose from, or `auto`. A language is a code of ISO 639, a tag of BCP 47, the locale of a
 * POSIX system or an English name, in any case
 * @param model what the model knows
 * @returns an English-only model has nothing to detect and gets `en`
 * @throws `ERR_INVALID_ARGUMENT` for a language that the model does not know, naming the nearest
 */
export function parseLanguage(value: unknown, model: KnownLanguages): LanguageChoice {
  if (!Array.isArray(value)) return { language: parseOne(value, 'language', model, true), languages: [] }
  const list = checkArray(value, 'language', 1, 100).map((item, i) => {
    if (typeof item === 'string' && item.toLowerCase() === 'auto')
      throw invalidArgument('one of the languages to choose from', `language[${i}]`, item, {
        advice: ['Give "auto" alone, to choose from all languages of the model'],
      })
    return parseOne(item, `language[${i}]`, model, false)
  })
  const languages = [...new Set(list)]
  const [only] = languages
  return languages.length === 1 && only !== undefined
    ? { language: only, languages: [] }
    : { language: '', languages }
}

function parseOne(value: unknown, name: string, model: KnownLanguages, orAuto: boolean): string {
  if (typeof value !== 'string')
    throw invalidArgument(orAuto ? 'a string or an array' : 'a string', name, value)
  const wanted = value.trim().toLowerCase()
  const [only = 'en', ...others] = model.languages
  if (wanted === 'auto' && orAuto) return model.multilingual && others.length > 0 ? '' : only
  const code = codeOf(wanted)
  if (!model.multilingual) {
    if (code === 'en') return code
    throw invalidArgument(`"en"${orAuto ? ' or "auto"' : ''} (the model is English-only)`, name, value, {
      advice: ['Load a multilingual model: one whose name does not end in .en'],
    })
  }
  if (code !== undefined && model.languages.includes(code)) return code
  throw unknownLanguage(value, name, code ?? primarySubtag(wanted), model)
}

/** Whisper's code of what was named, whether the model knows it or not. */
function codeOf(wanted: string): string | undefined {
  const named = Object.keys(languageNames).find((code) => languageNames[code]?.includes(wanted))
  if (named !== undefined) return named
  const [first = '', second = ''] = subtags(wanted)
  // Cantonese may be written as an extension of Chinese.
  const code = first === 'zh' && second === 'yue' ? second : first
  return code in languageNames ? code : whisperCode(code)
}

/** Of a BCP 47 tag, or of a locale such as `de_DE.UTF-8@euro`. */
function subtags(wanted: string): string[] {
  return (wanted.split(/[.@]/)[0] ?? '').split(/[-_]/)
}

function primarySubtag(wanted: string): string {
  return subtags(wanted)[0] ?? ''
}

function unknownLanguage(value: string, name: string, code: string, model: KnownLanguages) {
  const { name: known, nearest: meant } = explainCode(code)
  const english = languageNames[code]?.[0] ?? known
  const what = english === undefined ? '' : ` (${JSON.stringify(code)} is ${english}, which it does not know)`
  return invalidArgument(
    `a language of the model, by its code or English name, or "auto"${what}`,
    name,
    value,
    {
      nearest: meant !== undefined && model.languages.includes(meant) ? meant : nearestName(value, model),
      advice: [
        `The model knows ${model.languages.join(', ')}`,
        ...(model.languages.length === 1
          ? ['Load a model of many languages, such as large-v3-turbo or base']
          : []),
      ],
    },
  )
}

/** Two or three letters are near to any others: only what was meant for a name is compared with names. */
function nearestName(value: string, { languages }: KnownLanguages): string | undefined {
  if (value.length < 4) return undefined
  return nearest(value, ['auto', ...languages.flatMap((code) => languageNames[code] ?? [])])
}
