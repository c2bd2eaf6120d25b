import { performance } from 'node:perf_hooks'
import { Command } from 'commander'
import { backendInfo, loadModel } from '../../index.ts'
import { asFlags } from '../as-flags.ts'
import type { CommandContext } from '../context.ts'
import { tellWarning } from '../failures.ts'
import { showLoading } from '../load-progress.ts'
import { Progress } from '../progress.ts'
import { ownRecording } from '../recording.ts'

/** `whisper-hip demo` */
export function demoCommand(context: CommandContext): Command {
  return new Command('demo')
    .summary('transcribe a recording and say what did the work')
    .description(
      'Fetches the model base (about 150 MB, once), transcribes 11 seconds of speech, and says what did the work.',
    )
    .argument('[recording]', 'another recording than the one in the package')
    .action((recording: string | undefined) =>
      demo(recording ?? ownRecording('Name one: whisper-hip demo RECORDING'), context),
    )
}

async function demo(recording: string, { signal }: CommandContext): Promise<void> {
  const print = (line: string) => process.stdout.write(`${line}\n`)
  const info = await backendInfo()
  const progress = new Progress()
  const begun = performance.now()
  const model = await loadModel('base', {
    // The report below says what a warning would.
    backend: info.active === 'hip' ? 'hip' : 'cpu',
    signal,
    onProgress: showLoading(progress, 'base'),
  }).finally(() => progress.clear())
  try {
    const { name, parameters, weightType } = model.info
    const seconds = (performance.now() - begun) / 1000
    print(
      `Model     ${name}: ${(parameters / 1e6).toFixed(0)} million weights as ${weightType}, ready after ${seconds.toFixed(1)} s`,
    )
    print(`Recording ${recording}\n`)

    const transcription = model.transcribe(recording, { language: 'en', signal })
    for await (const { start, end, text } of transcription) print(`${time(start)} … ${time(end)} ${text}`)
    const { stats, warnings } = await transcription
    for (const warning of warnings) tellWarning(warning, recording)

    print(
      `\nBackend   ${stats.backend === 'hip' ? `the GPU ${stats.device}` : 'this machine runs on the CPU'}`,
    )
    print(`Reason    ${info.reason}: ${info.message}`)
    for (const advice of info.advice) print(`Advice    ${asFlags(advice)}`)
    print(`Proof     ${stats.gpuNodes} graph nodes ran on the GPU, ${stats.cpuNodes} on the CPU`)
    print(
      `Speed     ${stats.audioSeconds.toFixed(1)} s of audio in ${stats.wallSeconds.toFixed(2)} s, ${stats.realTimeFactor.toFixed(1)} times as fast as the speech`,
    )
  } finally {
    await model.dispose()
  }
}

function time(seconds: number): string {
  return `${seconds.toFixed(2).padStart(6)} s`
}
