/**
 * Other codes of Whisper's languages: those of ISO 639-2 and 639-3, of the languages that ISO counts as one with them, and those that were used
 * before.
 */
const others: Readonly<Record<string, string>> = {
  en: 'eng',
  zh: 'zho chi cmn',
  de: 'deu ger',
  es: 'spa',
  ru: 'rus',
  ko: 'kor',
  fr: 'fra fre',
  ja: 'jpn',
  pt: 'por',
  tr: 'tur',
  pl: 'pol',
  ca: 'cat',
  nl: 'nld dut',
  ar: 'ara arb arz ary arq apc ajp acm afb ars aeb apd',
  sv: 'swe',
  it: 'ita',
  id: 'ind in',
  hi: 'hin',
  fi: 'fin',
  vi: 'vie',
  he: 'heb iw',
  uk: 'ukr',
  el: 'ell gre',
  ms: 'msa may zsm zlm',
  cs: 'ces cze',
  ro: 'ron rum mo mol',
  da: 'dan',
  hu: 'hun',
  ta: 'tam',
  no: 'nor nb nob',
  th: 'tha',
  ur: 'urd',
  hr: 'hrv scr',
  bg: 'bul',
  lt: 'lit',
  la: 'lat',
  mi: 'mri mao',
  ml: 'mal',
  cy: 'cym wel',
  sk: 'slk slo',
  te: 'tel',
  fa: 'fas per pes prs',
  lv: 'lav lvs',
  bn: 'ben',
  sr: 'srp scc sh hbs',
  az: 'aze azj azb',
  sl: 'slv',
  kn: 'kan',
  et: 'est ekk',
  mk: 'mkd mac',
  br: 'bre',
  eu: 'eus baq',
  is: 'isl ice',
  hy: 'hye arm',
  ne: 'nep npi',
  mn: 'mon khk',
  bs: 'bos',
  kk: 'kaz',
  sq: 'sqi alb als',
  sw: 'swa swh',
  gl: 'glg',
  mr: 'mar',
  pa: 'pan pnb',
  si: 'sin',
  km: 'khm',
  sn: 'sna',
  yo: 'yor',
  so: 'som',
  af: 'afr',
  oc: 'oci',
  ka: 'kat geo',
  be: 'bel',
  tg: 'tgk',
  sd: 'snd',
  gu: 'guj',
  am: 'amh',
  yi: 'yid ji ydd',
  lo: 'lao',
  uz: 'uzb uzn',
  fo: 'fao',
  ht: 'hat',
  ps: 'pus pbt pbu pst',
  tk: 'tuk',
  nn: 'nno',
  mt: 'mlt',
  sa: 'san',
  lb: 'ltz',
  my: 'mya bur',
  bo: 'bod tib',
  tl: 'tgl fil',
  mg: 'mlg plt',
  as: 'asm',
  tt: 'tat',
  ln: 'lin',
  ha: 'hau',
  ba: 'bak',
  jw: 'jv jav',
  su: 'sun',
}

const whisperCodes = new Map(
  Object.entries(others).flatMap(([code, list]) => list.split(' ').map((other) => [other, code] as const)),
)

/** Languages that Whisper does not know, and mistaken codes, with what comes nearest. */
const relatives: Readonly<Record<string, string>> = {
  gsw: 'de',
  nds: 'de',
  bar: 'de',
  ksh: 'de',
  vmf: 'de',
  sco: 'en',
  yue: 'zh',
  wuu: 'zh',
  nan: 'zh',
  hak: 'zh',
  hsn: 'zh',
  gan: 'zh',
  ast: 'es',
  frp: 'fr',
  wa: 'fr',
  lld: 'it',
  nap: 'it',
  scn: 'it',
  vec: 'it',
  fy: 'nl',
  li: 'nl',
  csb: 'pl',
  szl: 'pl',
  rue: 'uk',
  sp: 'es',
  jap: 'ja',
  chn: 'zh',
  kur: 'fa',
  ku: 'fa',
}

const languageOf = new Intl.DisplayNames(['en'], { type: 'language', fallback: 'none' })
const regionOf = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' })

/** What a code that Whisper does not know is. */
export interface ForeignCode {
  /** English name of the language that it stands for, where there is one. */
  name: string | undefined
  /** Whisper's code of what was probably meant. */
  nearest: string | undefined
}

/**
 * Whisper's code of a language by one of its codes: ISO 639-1 to 639-3, those of the languages that belong to it, and those of former times.
 * @returns `undefined` for a code of another language, or of none
 */
export function whisperCode(code: string): string | undefined {
  return whisperCodes.get(code) ?? canonicalCode(code)
}

/** Unicode's aliases, of which the table has what is used, and what Whisper does otherwise. */
function canonicalCode(code: string): string | undefined {
  if (!/^[a-z]{2,3}$/.test(code)) return undefined
  const [canonical] = Intl.getCanonicalLocales(code)
  return canonical !== undefined && canonical in others ? canonical : undefined
}

/** What there is to say about a code that is none of Whisper's. A country's code is none of a language, but tells which one is meant. */
export function explainCode(code: string): ForeignCode {
  if (!/^[a-z]{2,3}$/.test(code)) return { name: undefined, nearest: undefined }
  const name = languageOf.of(code)
  return { name, nearest: relatives[code] ?? languageOfCountry(code) }
}

function languageOfCountry(code: string): string | undefined {
  if (code.length !== 2) return undefined
  const country = code.toUpperCase()
  return regionOf.of(country) === undefined
    ? undefined
    : new Intl.Locale(`und-${country}`).maximize().language
}
