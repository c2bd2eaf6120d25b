import type { Readable } from 'node:stream'
import { Argument, Command, Option } from 'commander'
import { checkInteger } from '../../check.ts'
import { type LiveStream, type LoadOptions, type Model, setLogger } from '../../index.ts'
import type { StreamOptions } from '../../stream/types.ts'
import type { Warning } from '../../warnings.ts'
import type { CommandContext } from '../context.ts'
import { tell, tellWarning, UsageError } from '../failures.ts'
import { optionsOf, readFlags, toUsage } from '../flags.ts'
import { Captions } from '../listen/captions.ts'
import { pickChannel, requireChannel } from '../listen/channel.ts'
import { checkPaths, type FilePaths, OutputFiles } from '../listen/files.ts'
import { findRecorder } from '../listen/find-recorder.ts'
import {
  checkStreamOptions,
  choiceFlags,
  type ListenChoice,
  listenFlags,
  readChoice,
  readStreamFlags,
  sampleFlags,
  speechFlags,
  streamFlags,
} from '../listen/flags.ts'
import { chooseInput, type Input, type InputFlags, lookAtStdin, sampleFormat } from '../listen/input.ts'
import { checkMedia, lookAt, type Media, openMedia, type Reading } from '../listen/media.ts'
import { openMicrophone } from '../listen/microphone.ts'
import { type Listening, listen } from '../listen/run.ts'
import type { Source } from '../listen/source.ts'
import { openStdin } from '../listen/stdin.ts'
import { jsonView, plainView, type View } from '../listen/views.ts'
import { loadShown } from '../load-model.ts'
import { Progress } from '../progress.ts'
import { styleFor } from '../style.ts'
import { loadFlags } from '../transcribe-flags.ts'
import { numberOr } from '../values.ts'

interface ListenFlags extends InputFlags, FilePaths {
  model: string
  maxSegmentLength: number
  json?: true
  stats?: true
  verbose?: true
}

/** `whisper-hip listen` */
export function listenCommand(context: CommandContext): Command {
  const command = new Command('listen')
    .summary('write what is being said, while it is said')
    .description(
      'Writes what is being said: live captions on a terminal, elsewhere a line for each utterance.\n' +
        'Listens to what is named, else to raw samples on standard input if it is a pipe or file, else to the microphone.\n' +
        'Ctrl-C ends the recording: what was said last still comes. A second one does not wait for that.',
    )
    .addArgument(
      new Argument(
        '[input]',
        '-: raw samples on standard input; or a recording or address (http, https, rtsp, rtmp, rtp, udp, tcp, tls; or with s), read by ffmpeg',
      ),
    )
    .option('-m, --model <model>', 'catalogue name, path or URL of a model', 'base')
    .option('--json', 'print a line of JSON for each event, and nothing else')
    .addOption(new Option('--stats', 'with --json: also the events that say how it keeps up'))
    .option('--verbose', 'show the log of whisper.cpp on stderr')
  command.optionsGroup('Input:')
  command
    .option('--source <program>', 'what records the microphone: pw-record, parec, arecord or sox')
    .option('--microphone <name>', 'device to record, as that program calls it')
  for (const option of optionsOf({ ...sampleFlags, ...choiceFlags })) command.addOption(option)
  command.option('--realtime', 'read a recording no faster than it plays')
  command.optionsGroup('Files, complete after each utterance:')
  command
    .option('--srt <file>', 'write SubRip subtitles')
    .option('--vtt <file>', 'write WebVTT subtitles')
    .option('--txt <file>', 'write text, a line for each utterance')
    .addOption(
      new Option('--max-segment-length <characters>', 'longest subtitle').argParser(numberOr()).default(84),
    )
  command.optionsGroup('Model:')
  for (const option of optionsOf(loadFlags)) command.addOption(option)
  command.optionsGroup('Transcription:')
  for (const option of optionsOf(streamFlags)) command.addOption(option)
  command.optionsGroup('Voice activity:')
  command.option('--no-vad', 'take everything for speech')
  for (const option of optionsOf(speechFlags)) command.addOption(option)
  return command.action((named: string | undefined, flags: ListenFlags & Record<string, unknown>) =>
    listenTo(named, flags, context),
  )
}

async function listenTo(
  named: string | undefined,
  flags: ListenFlags & Record<string, unknown>,
  context: CommandContext,
): Promise<void> {
  const options = checkStreamOptions(readStreamFlags(flags))
  const choice = readChoice(flags)
  const maxLength = checkMaxLength(flags.maxSegmentLength)
  if (flags.stats && !flags.json) throw new UsageError('--stats is for --json, which is not given')
  const input = chooseInput(named, flags, lookAtStdin())
  await checkPaths(flags, input.kind === 'media' ? input.media.path : null)
  const format = sampleFormat(input, options)
  const { channel } = choice
  const open = await prepare(input, format, choice, context.signal)
  if (flags.verbose) setLogger(({ level, message }) => tell(`${level}: ${message}`))

  const model = await loadShown(flags.model, readFlags(loadFlags, flags) as LoadOptions, {
    progress: new Progress(),
    signal: context.signal,
    flags: listenFlags,
  })
  try {
    const files = new OutputFiles(flags, maxLength)
    const view = viewFor(flags, isLive(input))
    const isPicked = input.kind !== 'media' && channel !== 'mix'
    const pick = isPicked ? (samples: Readable) => pickChannel(samples, channel, format) : undefined
    const heard = isPicked ? { ...format, channels: 1 } : format
    await run(model, { ...options, ...heard }, { open, pick, files, view, context })
  } catch (error) {
    throw toUsage(error, listenFlags)
  } finally {
    await model.dispose()
  }
}

interface Run {
  open: () => Promise<Source>
  pick: Listening['pick']
  files: OutputFiles
  view: View
  context: CommandContext
}

async function run(
  model: Model,
  options: StreamOptions,
  { open, pick, files, view, context }: Run,
): Promise<void> {
  const { signal } = context
  const show = (text: string) => text !== '' && process.stdout.write(text)
  const clear = () => show(view.clear())
  const redraw = () => show(view.redraw())
  process.on('exit', clear)
  process.stdout.on('resize', redraw)
  let source: Source | undefined
  let live: LiveStream | undefined
  try {
    source = await open()
    context.onInterrupt(() => source?.stop())
    const { name } = source
    if (process.stderr.isTTY)
      tell(`listening to ${name} with ${model.info.name} on ${model.backend.device}; Ctrl-C ends it`)
    signal.throwIfAborted()
    live = model.stream({ ...options, signal })
    const warn = (warning: Warning) => {
      clear()
      tellWarning(warning, name)
      redraw()
    }
    const stats = await listen({ source, pick, live, view, files, output: process.stdout, signal, warn })
    clear()
    if (process.stderr.isTTY && stats !== undefined)
      tell(`${name}: ${stats.gpuNodes} graph nodes on the GPU, ${stats.cpuNodes} on the CPU`)
  } finally {
    process.off('exit', clear)
    process.stdout.off('resize', redraw)
    clear()
    source?.close()
    live?.destroy()
    files.close()
  }
}

/** Finds out whether an input can be opened, before a model is downloaded and loaded. */
async function prepare(
  input: Input,
  format: ReturnType<typeof sampleFormat>,
  choice: ListenChoice,
  signal: AbortSignal,
): Promise<() => Promise<Source>> {
  if (input.kind !== 'media' && choice.channel !== 'mix') requireChannel(choice.channel, format)
  switch (input.kind) {
    case 'stdin':
      return async () => openStdin()
    case 'microphone': {
      const recorder = await findRecorder(input.program)
      return () => openMicrophone(recorder, { ...format, device: input.device })
    }
    case 'media':
      return openingMedia(input.media, { ...choice, realtime: input.realtime }, signal)
  }
}

async function openingMedia(
  media: Media,
  reading: Reading,
  signal: AbortSignal,
): Promise<() => Promise<Source>> {
  await checkMedia(media)
  try {
    const known = await lookAt(media, reading.track, signal)
    return () => openMedia(media, reading, known)
  } catch (error) {
    throw toUsage(error, listenFlags)
  }
}

/** Sound comes as fast as time goes by, so that it matters how far the text is behind. */
function isLive(input: Input): boolean {
  return input.kind !== 'media' || input.media.live || input.realtime
}

function viewFor({ json, stats }: ListenFlags, live: boolean): View {
  if (json) return jsonView(stats === true)
  const { stdout } = process
  // A terminal that is dumb cannot be written over.
  return stdout.isTTY && process.env.TERM !== 'dumb'
    ? new Captions(stdout, styleFor(stdout), live)
    : plainView
}

function checkMaxLength(value: unknown): number {
  try {
    return checkInteger(value, 'maxSegmentLength', 1, 10_000)
  } catch (error) {
    throw toUsage(error, listenFlags)
  }
}
