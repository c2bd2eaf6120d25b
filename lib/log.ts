import { invalidArgument } from './check.ts'
import { callBack } from './guard-callback.ts'
import { messageOf } from './kinds.ts'
import type { NativeAddon } from './native.ts'

/** Severity of a {@link LogEntry}. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** One line of the log. */
export interface LogEntry {
  level: LogLevel
  /** One line, without a line break. */
  message: string
}

/** Receives log entries in order. Its return value is ignored. */
export type LogSink = (entry: LogEntry) => void

type Source = Pick<NativeAddon, 'setLogSink'>

/** Levels of ggml; any other number (5: continuation) keeps the level of the line so far. */
const levels: readonly (LogLevel | undefined)[] = [undefined, 'debug', 'info', 'warn', 'error']

/** A line that never ends is cut here, in UTF-16 units. */
const longestLine = 65_536

let sink: LogSink | null = null
let sinkFailed = false
const sources = new Set<Source>()
/** The line that has begun and has not ended yet. */
let pending: LogEntry | null = null

/**
 * Sets the function that receives the log: one entry for each line of whisper.cpp and ggml, and this library's own lines. Until you set
 * one, nothing is logged. A logger belongs to the current thread: each worker sets its own, and receives the lines of its own loads and
 * jobs. A logger never keeps the process alive.
 *
 * A logger that throws, or returns a promise that rejects, does not disturb the work: its first error is reported with
 * `process.emitWarning`.
 *
 * @param logger the new logger, which replaces the previous one; `null` (the default) for silence
 * @throws `ERR_INVALID_ARGUMENT` if it is neither a function nor `null`
 */
export function setLogger(logger: LogSink | null): void {
  if (logger !== null && typeof logger !== 'function')
    throw invalidArgument('a function or null', 'logger', logger)
  flush()
  sink = logger
  sinkFailed = false
  for (const source of sources) connect(source)
}

/**
 * Makes a loaded addon, or what runs one elsewhere, a source of the log.
 * @returns detaches it
 * @internal
 */
export function attachLogSource(source: Source): () => void {
  sources.add(source)
  connect(source)
  return () => sources.delete(source)
}

/** Writes an entry of this library's own. @internal */
export function log(level: LogLevel, message: string): void {
  flush()
  deliver({ level, message })
}

/** Delivers an entry that is complete: pieces of others may be on their way. @internal */
export function passOn(entry: LogEntry): void {
  deliver(entry)
}

/** While nobody listens, a source does not even send. */
function connect(source: Source): void {
  source.setLogSink(sink === null ? null : receive)
}

/** Joins the pieces that the native side prints into lines. */
function receive(level: number, text: string): void {
  const name = levels[level]
  if (name !== undefined && pending !== null && name !== pending.level) flush()
  const lines = text.split('\n')
  const rest = lines.pop() ?? ''
  for (const line of lines) {
    append(name, line)
    flush()
  }
  if (rest !== '') append(name, rest)
}

function append(level: LogLevel | undefined, text: string): void {
  pending ??= { level: level ?? 'info', message: '' }
  pending.message += text
  if (pending.message.length > longestLine) flush()
}

function flush(): void {
  const line = pending
  pending = null
  if (line === null) return
  const message = line.message.trimEnd()
  if (message !== '') deliver({ level: line.level, message })
}

function deliver(entry: LogEntry): void {
  void callBack(sink ?? undefined, entry, (error) => {
    if (sinkFailed) return
    sinkFailed = true
    process.emitWarning(`The logger threw: ${messageOf(error)}`, {
      type: 'WhisperHipWarning',
      code: 'WHISPER_HIP_LOGGER',
    })
  })
}
