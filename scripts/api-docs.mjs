#!/usr/bin/env node
// @ts-check
/**
 * Writes docs/api.md from the comments of everything that lib/index.ts exports. A test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { packageRoot } from './support/package.mjs'
import { isMain, log, run } from './support/script.mjs'

/** Sections in the order of reading. Every export belongs to one. */
const SECTIONS = [
  {
    title: 'Transcribing',
    names: ['transcribe', 'OneCallOptions', 'TranscribeOptions', 'Clip', 'Transcription'],
  },
  {
    title: 'Results',
    names: [
      'TranscriptionResult',
      'Segment',
      'Token',
      'Word',
      'Speaker',
      'Warning',
      'WarningCode',
      'RunStats',
      'formatTranscription',
      'OutputFormat',
    ],
  },
  {
    title: 'Speech detection',
    names: ['detectSpeech', 'DetectSpeechOptions', 'SpeechOptions', 'SpeechDetection', 'SpeechSegment'],
  },
  {
    title: 'Live transcription',
    names: [
      'LiveStream',
      'StreamOptions',
      'LiveSpeechOptions',
      'SampleFormat',
      'StreamEvent',
      'SpeechStartEvent',
      'PartialEvent',
      'SpeechEndEvent',
      'FinalEvent',
      'WarningEvent',
      'StreamStatsEvent',
    ],
  },
  {
    title: 'Audio',
    names: ['AudioInput', 'PcmAudio', 'PcmStream', 'ChunkStream'],
  },
  {
    title: 'Models',
    names: [
      'loadModel',
      'ModelInput',
      'LoadOptions',
      'LoadProgress',
      'Model',
      'ModelInfo',
      'ModelFormat',
      'estimateMemory',
      'EstimateOptions',
      'MemoryNeed',
      'WeightType',
      'ModelBackend',
      'DetectedLanguage',
      'listModels',
      'ListedModel',
      'downloadModel',
      'DownloadOptions',
      'convertModel',
      'ConvertOptions',
      'ConvertProgress',
      'ConvertedModel',
    ],
  },
  {
    title: 'The backend',
    names: [
      'backendInfo',
      'BackendInfoOptions',
      'BackendInfo',
      'BackendReason',
      'BackendNote',
      'GpuDevice',
      'ProbeStage',
      'RocmInstallation',
      'TrialProgress',
      'assertGpu',
    ],
  },
  { title: 'Errors', names: ['WhisperHipError', 'ErrorCode', 'ErrorDetails'] },
  { title: 'The log', names: ['setLogger', 'LogEntry', 'LogLevel', 'LogSink'] },
]

const INTRODUCTION = `# API

<!-- Made by \`node scripts/api-docs.mjs\` from the comments in lib/. Change those, then run it again. -->

Everything is a named export of \`whisper-hip\`, for \`import\` and for \`require\` alike; both give the same objects. Times are
seconds from the start of the audio. Every asynchronous function takes an \`AbortSignal\` as \`signal\` and rejects with its reason.
Other pages explain [audio](audio.md), [live audio](streaming.md), [models](models.md), [backends](backends.md),
[what happens when](lifecycle.md), [errors](troubleshooting.md).
`

/** The page as text. */
export function renderApi() {
  const options = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(packageRoot, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    packageRoot,
  ).options
  const entry = join(packageRoot, 'lib', 'index.ts')
  const exported = exportsOf(ts.createProgram([entry], options), entry)
  const link = linker(exported)

  const placed = SECTIONS.flatMap(({ names }) => names)
  const added = [...exported.keys()].filter((name) => !placed.includes(name))
  const gone = placed.filter((name) => !exported.has(name))
  if (added.length + gone.length > 0)
    throw new Error(
      `SECTIONS of scripts/api-docs.mjs lacks ${added.join(', ')}; not exported: ${gone.join(', ')}`,
    )

  const parts = [INTRODUCTION]
  for (const { title, names } of SECTIONS) {
    parts.push(`## ${title}`)
    for (const name of names) {
      const declaration = /** @type {ts.Declaration} */ (exported.get(name))
      parts.push(`### ${name}`, ...describe(name, declaration).map(link))
    }
  }
  return `${parts.map((part) => part.trim()).join('\n\n')}\n`
}

/**
 * @param {ts.Program} program @param {string} entry
 * @returns {Map<string, ts.Declaration>}
 */
function exportsOf(program, entry) {
  const checker = program.getTypeChecker()
  const module = checker.getSymbolAtLocation(/** @type {ts.SourceFile} */ (program.getSourceFile(entry)))
  const result = new Map()
  for (const alias of checker.getExportsOfModule(/** @type {ts.Symbol} */ (module))) {
    const symbol = alias.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(alias) : alias
    result.set(alias.name, symbol.declarations?.[0])
  }
  return result
}

/**
 * Paragraphs about one export.
 * @param {string} name @param {ts.Declaration} declaration
 * @returns {string[]}
 */
function describe(name, declaration) {
  const about = commentOf(declaration)
  if (ts.isFunctionDeclaration(declaration)) return [code(signature(declaration)), ...about]
  if (ts.isTypeAliasDeclaration(declaration))
    return [code(declaration.getText().replace(/^export /, '')), ...about]
  if (!ts.isInterfaceDeclaration(declaration) && !ts.isClassDeclaration(declaration))
    throw new Error(`scripts/api-docs.mjs does not know how to describe ${name}`)
  const bases = (declaration.heritageClauses ?? []).map((clause) => {
    const types = clause.types.map((type) => `\`${type.getText().replace(/\s+/g, ' ')}\``).join(', ')
    return `${clause.token === ts.SyntaxKind.ExtendsKeyword ? 'Extends' : 'Implements'} ${types}.`
  })
  return [...about, ...bases, declaration.members.filter(isPublic).map(describeMember).join('\n')]
}

/** @param {ts.ClassElement | ts.TypeElement} member */
function isPublic(member) {
  if (member.name === undefined || ts.isPrivateIdentifier(member.name)) return false
  return !ts.getJSDocTags(member).some((tag) => tag.tagName.text === 'internal')
}

/** @param {ts.ClassElement | ts.TypeElement} member */
function describeMember(member) {
  const [first, ...rest] = commentOf(member)
  const head = `- \`${signature(member)}\`${first === undefined ? '' : `: ${first}`}`
  return [head, ...rest].join('\n\n').replace(/\n(?=.)/g, '\n  ')
}

/**
 * A declaration without its body and comments, on one line.
 * @param {ts.Declaration} declaration
 */
function signature(declaration) {
  const { body } = /** @type {{ body?: ts.Node }} */ (declaration)
  const text = declaration.getSourceFile().text.slice(declaration.getStart(), body?.getFullStart())
  return oneLine(body ? text : declaration.getText()).replace(
    /^(export |async |override |declare |function )+/,
    '',
  )
}

/** @param {string} text */
const code = (text) => `\`\`\`ts\n${text}\n\`\`\``

/** Source on one line: members of a type that end with their line get a semicolon. @param {string} text */
const oneLine = (text) =>
  text
    .replace(/\/\*\*.*?\*\//gs, '')
    .replace(/([^\s{(|&,;])\n\s*(?=\w)/g, '$1; ')
    .replace(/\s+/g, ' ')
    .replace(/\( /g, '(')
    .replace(/,? \)/g, ')')

/**
 * The comment before a declaration: paragraphs, then a list of arguments, result and errors.
 * @param {ts.Node} declaration
 * @returns {string[]}
 */
function commentOf(declaration) {
  const comment = ts.getJSDocCommentsAndTags(declaration).findLast(ts.isJSDoc)
  if (comment === undefined) return []
  const text = comment
    .getText()
    .slice(3, -2)
    .replace(/^\s*\* ?/gm, '')
  const [body = '', ...tags] = text.split(/^@(?=\w)/m)
  const paragraphs = body.split(/\n\s*\n/).map(joinLines)
  const facts = tags.map((tag) => describeTag(joinLines(tag)))
  const [defaultValue] = facts.filter((line) => line.startsWith('Default'))
  if (defaultValue !== undefined) paragraphs.push(`${paragraphs.pop() ?? ''} ${defaultValue}`.trim())
  return [...paragraphs, facts.filter((line) => line !== defaultValue).join('\n')].filter(
    (part) => part !== '',
  )
}

/** @param {string} tag its name and text */
function describeTag(tag) {
  const [, name, text = ''] = /** @type {RegExpExecArray} */ (/^(\w+)\s*(.*)$/s.exec(tag))
  if (name === 'defaultValue') return `Default: ${text}.`
  if (name === 'param') return `- ${text.replace(/^(\w+) /, '`$1`: ')}`
  if (name === 'returns' || name === 'throws') return `- ${name} ${text}`
  throw new Error(`scripts/api-docs.mjs does not know the tag @${name}`)
}

/** Each paragraph and list item on a line of its own. @param {string} text */
const joinLines = (text) => text.trim().replace(/\n(?!- )\s*/g, ' ')

/**
 * Turns `{@link Name}` into a link to its heading, or into code where there is none.
 * @param {ReadonlyMap<string, unknown>} exported
 */
function linker(exported) {
  /** @param {string} text */
  return (text) =>
    text.replace(/\{@link ([\w.]+)\}/g, (_, target) => {
      const heading = target.split('.')[0]
      return exported.has(heading) ? `[\`${target}\`](#${heading.toLowerCase()})` : `\`${target}\``
    })
}

if (isMain(import.meta.url))
  await run(async () => {
    const path = join(packageRoot, 'docs', 'api.md')
    const text = renderApi()
    if (readFileSync(path, { encoding: 'utf8', flag: 'a+' }) === text) return log(`${path} is up to date`)
    writeFileSync(path, text)
    log(`wrote ${path}`)
  })
