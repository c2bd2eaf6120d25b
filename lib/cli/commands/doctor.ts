import { homedir } from 'node:os'
import { Command, Option } from 'commander'
import { type BackendInfo, backendInfo } from '../../index.ts'
import type { CommandContext } from '../context.ts'
import type { Findings } from '../doctor/facts.ts'
import { readMachine } from '../doctor/machine.ts'
import { markdownReport } from '../doctor/markdown.ts'
import { impossible, type Run, runOnBoth } from '../doctor/run.ts'
import { textReport } from '../doctor/text.ts'
import { UsageError } from '../failures.ts'
import { orAborted } from '../interrupt.ts'
import { Progress } from '../progress.ts'
import { ownRecording } from '../recording.ts'
import { styleFor } from '../style.ts'

interface DoctorFlags {
  requireGpu?: true
  json?: true
  markdown?: true
  refresh?: true
  run?: true
  model?: string
  audio?: string
}

/** `whisper-hip doctor` */
export function doctorCommand({ signal, fail }: CommandContext): Command {
  return new Command('doctor')
    .summary('say whether the GPU works, why not, and what to do')
    .description(
      'Says whether transcriptions run on the GPU; if not, why, and all that is to be done, in order.\n' +
        'Exit code 0: the GPU works, or was not required. 1: it does not, or the library itself cannot be loaded.',
    )
    .option('--require-gpu', 'fail unless the GPU works')
    .option(
      '--run',
      'transcribe a recording on the GPU and on the CPU, and compare; fail unless the GPU works',
    )
    .option(
      '-m, --model <model>',
      'with --run: catalogue name, path or URL of a model (default: the smallest in the cache, else base)',
    )
    .option('--audio <file>', 'with --run: another recording than the one in the package')
    .addOption(
      new Option('--json', 'print what backendInfo() answers, the machine and the run').conflicts('markdown'),
    )
    .option('--markdown', 'print a report for a bug report, without the name of the home folder')
    .option('--refresh', 'try the GPU again, whatever an earlier trial found')
    .action(async (flags: DoctorFlags) => {
      const recording = recordingOf(flags)
      const environment = { ...process.env } // the library sets some variables
      const info = await orAborted(backendInfo({ refresh: flags.refresh ?? false }), signal)
      const run = recording === null ? null : await runWith(info, recording, flags.model, signal)
      process.stdout.write(render({ info, machine: readMachine(info, environment), run }, flags))
      const works = info.active === 'hip' && info.reason === 'OK'
      const isBroken = info.reason === 'NATIVE_MISSING' || run?.works === false
      if (isBroken || (flags.requireGpu && !works)) fail(1)
    })
}

interface Recording {
  path: string
  language: string | undefined
}

/** @returns null without `--run` */
function recordingOf({ run, model, audio }: DoctorFlags): Recording | null {
  if (run) {
    if (audio !== undefined) return { path: audio, language: undefined }
    return { path: ownRecording('Name one: whisper-hip doctor --run --audio RECORDING'), language: 'en' }
  }
  const [given] = [model === undefined ? [] : ['--model'], audio === undefined ? [] : ['--audio']].flat()
  if (given !== undefined) throw new UsageError(`${given} is of use with --run only`)
  return null
}

function runWith(
  info: BackendInfo,
  { path, language }: Recording,
  model: string | undefined,
  signal: AbortSignal,
): Promise<Run> {
  if (info.active === 'cpu') return Promise.resolve(impossible(info))
  return runOnBoth({ model, recording: path, language, progress: new Progress(), signal })
}

function render(findings: Findings, { json, markdown }: DoctorFlags): string {
  if (json) {
    const { info, machine, run } = findings
    return `${JSON.stringify({ ...info, machine, ...(run === null ? {} : { run }) }, null, 2)}\n`
  }
  if (markdown) return markdownReport(findings, homedir())
  return textReport(findings, styleFor(process.stdout))
}
