import { execFile } from 'node:child_process'
import type { Socket } from 'node:net'
import { clearTimeout, setTimeout } from 'node:timers'
import { promisify } from 'node:util'
import { tell } from '../failures.ts'
import type { FoundRecorder } from './find-recorder.ts'
import { startProgram } from './program-source.ts'
import { type Recording, recorders } from './recorders.ts'
import type { Source } from './source.ts'

/** Records from a microphone. */
export async function openMicrophone(
  { name, path, others }: FoundRecorder,
  recording: Recording,
): Promise<Source> {
  const { commandLine, asksHelp, refusal } = recorders[name]
  const { device } = recording
  const source = await startProgram({
    ...commandLine(recording, asksHelp ? await helpOf(path) : ''),
    program: path,
    name,
    failing: `Cannot record with ${name}${device === undefined ? '' : ` from ${JSON.stringify(device)}`}`,
    endless: true,
    refusal,
    advice: [
      ...others.map((other) => `Try ${other}, which is installed too: --source ${other}`),
      device === undefined
        ? 'Name a device: --microphone NAME (arecord -L, pactl list short sources and wpctl status list them)'
        : 'arecord -L, pactl list short sources and wpctl status list the devices',
    ],
  })
  warnOfNoSound(source)
  return source
}

/** Some programs wait without a word where there is no microphone. */
function warnOfNoSound({ name, samples, ended }: Source): void {
  const timer = setTimeout(() => {
    if ((samples as Socket).bytesRead === 0) tell(`no sound from ${name} yet: is a microphone connected?`)
  }, 5000)
  ended.catch(() => {}).finally(() => clearTimeout(timer))
}

async function helpOf(path: string): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(path, ['--help'], { timeout: 5000 })
    return stdout + stderr
  } catch {
    // A program that cannot even say this says why when it is to record.
    return ''
  }
}
