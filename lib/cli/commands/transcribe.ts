import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { Argument, Command, Option } from 'commander'
import { describeSystemError, undecodable } from '../../audio/failures.ts'
import { WhisperHipError } from '../../errors.ts'
import {
  type AudioInput,
  formatTranscription,
  type LoadOptions,
  type Model,
  setLogger,
  type TranscribeOptions,
  type TranscriptionResult,
} from '../../index.ts'
import { requireWritable } from '../../model/writable.ts'
import { CueWriter } from '../../output/cue-writer.ts'
import { outputFormat } from '../../output/formats.ts'
import type { OutputFormat } from '../../output/types.ts'
import type { CommandContext } from '../context.ts'
import { whyEmpty } from '../empty-result.ts'
import { tell, tellError, tellWarning, UsageError } from '../failures.ts'
import { makeFolder, writeWhole } from '../files.ts'
import { optionsOf, readFlags, toUsage } from '../flags.ts'
import { loadShown } from '../load-model.ts'
import { type PlannedOutput, planOutputs, STDIN } from '../output-plan.ts'
import { Progress } from '../progress.ts'
import { checkRunOptions, loadFlags, runFlags, transcribeFlags } from '../transcribe-flags.ts'

/** Bytes: more than any text of a recording. */
const LEAST_ROOM = 1 << 20

interface TranscribeFlags {
  model: string
  format: string[]
  output?: string
  json?: true
  verbose?: true
}

/** `whisper-hip transcribe` */
export function transcribeCommand(context: CommandContext): Command {
  const collect = (format: string, formats: string[]) => [...formats, ...format.split(',')]
  const command = new Command('transcribe')
    .summary('write what is said in recordings')
    .description(
      'Writes what is said in recordings: to standard output as it is decoded, or to files in a folder.\n' +
        'wav, mp3, flac and ogg vorbis are decoded without other software, everything else by ffmpeg.',
    )
    .addArgument(new Argument('<file...>', 'recordings; - reads one from standard input'))
    .option('-m, --model <model>', 'catalogue name, path or URL of a model', 'base')
    .addOption(
      new Option('-f, --format <name>', 'txt, srt, vtt, lrc, tsv or json; repeatable')
        .argParser(collect)
        .default([], 'txt'),
    )
    .option('-o, --output <folder>', 'write NAME.FORMAT for each recording, and print the paths')
    .addOption(new Option('--json', 'the same as --format json').conflicts(['format', 'output']))
    .option('--verbose', 'show the log of whisper.cpp on stderr')
  command.optionsGroup('Model:')
  for (const option of optionsOf(loadFlags)) command.addOption(option)
  command.optionsGroup('Transcription:')
  for (const option of optionsOf(runFlags)) command.addOption(option)
  return command.action((files: string[], flags: TranscribeFlags & Record<string, unknown>) =>
    transcribeFiles(files, flags, context),
  )
}

async function transcribeFiles(
  files: readonly string[],
  flags: TranscribeFlags & Record<string, unknown>,
  { signal, fail }: CommandContext,
): Promise<void> {
  const plan = planOutputs(files, flags.json ? ['json'] : flags.format, flags.output)
  const options = readFlags(runFlags, flags) as TranscribeOptions
  checkRunOptions(options)
  await checkReadable(files)
  if (flags.output !== undefined) await makeFolder(flags.output)
  for (const { files: outputs } of plan.outputs) {
    for (const { path } of outputs) await requireWritable(path, LEAST_ROOM)
  }
  if (flags.verbose) setLogger(({ level, message }) => tell(`${level}: ${message}`))

  const progress = new Progress()
  const loading = { ...(readFlags(loadFlags, flags) as LoadOptions), concurrency: 1 }
  const model = await loadShown(flags.model, loading, { progress, signal, flags: transcribeFlags })
  try {
    for (const output of plan.outputs) {
      const several = plan.outputs.length > 1
      try {
        await transcribeOne(model, output, { options, stdout: plan.stdout, several, progress, signal })
      } catch (error) {
        progress.clear()
        // One bad recording does not take the others with it.
        if (!several || !isAboutOne(error)) throw toUsage(error, transcribeFlags)
        tellError(error)
        fail(1)
      }
    }
  } finally {
    progress.clear()
    await model.dispose()
  }
}

/** A path that is misspelt is told before a model is downloaded. */
async function checkReadable(files: readonly string[]): Promise<void> {
  for (const file of files) {
    if (file === STDIN) {
      if (process.stdin.isTTY) throw new UsageError('Standard input (-) is a terminal, not a recording')
    } else await requireReadable(file)
  }
}

async function requireReadable(file: string): Promise<void> {
  if (/^https?:/i.test(file)) {
    throw new UsageError(`Expected a file but received the address ${file}`, [
      `Fetch it: curl -L ${file} | whisper-hip transcribe -`,
    ])
  }
  try {
    await access(file, constants.R_OK)
  } catch (error) {
    throw undecodable(`'${file}'`, describeSystemError(error), { cause: error })
  }
}

interface Run {
  options: TranscribeOptions
  stdout: OutputFormat | null
  several: boolean
  progress: Progress
  signal: AbortSignal
}

async function transcribeOne(
  model: Model,
  { input, files }: PlannedOutput,
  { options, stdout, several, progress, signal }: Run,
): Promise<void> {
  const audio: AudioInput = input === STDIN ? process.stdin : input
  const transcription = model.transcribe(audio, {
    ...options,
    signal,
    onProgress: (fraction) => progress.show(input, fraction),
  })
  const writer = stdout === null ? undefined : outputFormat(stdout)
  if (writer !== undefined && 'header' in writer) {
    const print = (text: string) => {
      if (text === '') return
      progress.clear()
      process.stdout.write(text)
    }
    const cues = new CueWriter(writer)
    print(several ? `==> ${input} <==\n` : '')
    print(cues.header)
    for await (const segment of transcription) print(cues.next(segment))
  }
  const result = await transcription
  progress.clear()
  const name = input === STDIN ? 'standard input' : input
  for (const warning of result.warnings) tellWarning(warning, name)
  const empty = whyEmpty(result, options)
  if (empty !== null) tell(`${name}: ${empty}`)
  if (writer !== undefined && !('header' in writer)) process.stdout.write(writer.write(result))
  await writeFiles(files, result)
  if (process.stderr.isTTY) tell(summary(input, result))
}

/** What cannot be written is printed: the work is done, and shall not be lost. The first failure is thrown when all were tried. */
async function writeFiles(files: PlannedOutput['files'], result: TranscriptionResult): Promise<void> {
  let failure: { error: unknown } | undefined
  for (const { path, format } of files) {
    const text = formatTranscription(result, format)
    try {
      await writeWhole(path, text)
      process.stdout.write(`${path}\n`)
    } catch (error) {
      failure ??= { error }
      process.stdout.write(`==> ${path} <==\n${text}${text.endsWith('\n') ? '' : '\n'}`)
    }
  }
  if (failure !== undefined) throw failure.error
}

/** Of one recording, and not of the others. */
function isAboutOne(error: unknown): boolean {
  return error instanceof WhisperHipError && /^ERR_(AUDIO_|WRITE$)/.test(error.code)
}

/** What did the work, counted. */
function summary(input: string, { stats }: TranscriptionResult): string {
  const { audioSeconds, wallSeconds, realTimeFactor, device, gpuNodes, cpuNodes } = stats
  const time = `${audioSeconds.toFixed(1)} s in ${wallSeconds.toFixed(1)} s (${realTimeFactor.toFixed(1)}x)`
  return `${input}: ${time} on ${device}; ${gpuNodes} graph nodes on the GPU, ${cpuNodes} on the CPU`
}
