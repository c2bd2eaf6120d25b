import { invalidArgument } from '../check.ts'
import { nearest } from '../nearest.ts'

/** English names of Whisper's languages by ISO code; the first is canonical, the others are synonyms (OpenAI's tokenizer). */
const names: Readonly<Record<string, readonly string[]>> = {
  en: ['english'],
  zh: ['chinese', 'mandarin'],
  de: ['german'],
  es: ['spanish', 'castilian'],
  ru: ['russian'],
  ko: ['korean'],
  fr: ['french'],
  ja: ['japanese'],
  pt: ['portuguese'],
  tr: ['turkish'],
  pl: ['polish'],
  ca: ['catalan', 'valencian'],
  nl: ['dutch', 'flemish'],
  ar: ['arabic'],
  sv: ['swedish'],
  it: ['italian'],
  id: ['indonesian'],
  hi: ['hindi'],
  fi: ['finnish'],
  vi: ['vietnamese'],
  he: ['hebrew'],
  uk: ['ukrainian'],
  el: ['greek'],
  ms: ['malay'],
  cs: ['czech'],
  ro: ['romanian', 'moldavian', 'moldovan'],
  da: ['danish'],
  hu: ['hungarian'],
  ta: ['tamil'],
  no: ['norwegian'],
  th: ['thai'],
  ur: ['urdu'],
  hr: ['croatian'],
  bg: ['bulgarian'],
  lt: ['lithuanian'],
  la: ['latin'],
  mi: ['maori'],
  ml: ['malayalam'],
  cy: ['welsh'],
  sk: ['slovak'],
  te: ['telugu'],
  fa: ['persian'],
  lv: ['latvian'],
  bn: ['bengali'],
  sr: ['serbian'],
  az: ['azerbaijani'],
  sl: ['slovenian'],
  kn: ['kannada'],
  et: ['estonian'],
  mk: ['macedonian'],
  br: ['breton'],
  eu: ['basque'],
  is: ['icelandic'],
  hy: ['armenian'],
  ne: ['nepali'],
  mn: ['mongolian'],
  bs: ['bosnian'],
  kk: ['kazakh'],
  sq: ['albanian'],
  sw: ['swahili'],
  gl: ['galician'],
  mr: ['marathi'],
  pa: ['punjabi', 'panjabi'],
  si: ['sinhala', 'sinhalese'],
  km: ['khmer'],
  sn: ['shona'],
  yo: ['yoruba'],
  so: ['somali'],
  af: ['afrikaans'],
  oc: ['occitan'],
  ka: ['georgian'],
  be: ['belarusian'],
  tg: ['tajik'],
  sd: ['sindhi'],
  gu: ['gujarati'],
  am: ['amharic'],
  yi: ['yiddish'],
  lo: ['lao'],
  uz: ['uzbek'],
  fo: ['faroese'],
  ht: ['haitian creole', 'haitian'],
  ps: ['pashto', 'pushto'],
  tk: ['turkmen'],
  nn: ['nynorsk'],
  mt: ['maltese'],
  sa: ['sanskrit'],
  lb: ['luxembourgish', 'letzeburgesch'],
  my: ['myanmar', 'burmese'],
  bo: ['tibetan'],
  tl: ['tagalog'],
  mg: ['malagasy'],
  as: ['assamese'],
  tt: ['tatar'],
  haw: ['hawaiian'],
  ln: ['lingala'],
  ha: ['hausa'],
  ba: ['bashkir'],
  jw: ['javanese'],
  su: ['sundanese'],
  yue: ['cantonese'],
}

/**
 * Finds the language that an option names.
 *
 * @param value ISO code, English name (any case), or `auto`
 * @param model what the model knows; `languages` are ISO codes
 * @returns the ISO code, or '' to detect the language; an English-only model has nothing to detect and gets `en`
 * @throws `ERR_INVALID_ARGUMENT` for a language that the model does not know, naming the nearest
 */
export function parseLanguage(
  value: unknown,
  model: { multilingual: boolean; languages: readonly string[] },
): string {
  if (typeof value !== 'string') throw invalidArgument('a string', 'language', value)
  const wanted = value.toLowerCase()
  if (wanted === 'auto') return model.multilingual ? '' : 'en'
  const code = model.languages.includes(wanted) ? wanted : codeOf(wanted)
  if (!model.multilingual) {
    if (code === 'en') return code
    throw invalidArgument('"en" or "auto" (the model is English-only)', 'language', value, {
      advice: ['Load a multilingual model: one whose name does not end in .en'],
    })
  }
  if (code !== undefined && model.languages.includes(code)) return code
  const choices = model.languages.flatMap((candidate) => [candidate, ...(names[candidate] ?? [])])
  throw invalidArgument(
    'the code or English name of one of the model\'s languages, or "auto",',
    'language',
    value,
    {
      nearest: nearest(wanted, ['auto', ...choices]),
      advice: [`The model knows ${model.languages.join(', ')}`],
    },
  )
}

function codeOf(name: string): string | undefined {
  return Object.keys(names).find((code) => code === name || names[code]?.includes(name))
}
