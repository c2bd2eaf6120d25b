import { homedir } from 'node:os'
import { Command, Option } from 'commander'
import { type BackendInfo, backendInfo } from '../../index.ts'
import type { CommandContext } from '../context.ts'
import { markdownReport } from '../doctor/markdown.ts'
import { surroundings } from '../doctor/surroundings.ts'
import { textReport } from '../doctor/text.ts'
import { orAborted } from '../interrupt.ts'
import { styleFor } from '../style.ts'

interface DoctorFlags {
  requireGpu?: true
  json?: true
  markdown?: true
  refresh?: true
}

/** `whisper-hip doctor` */
export function doctorCommand({ signal, fail }: CommandContext): Command {
  return new Command('doctor')
    .summary('say whether the GPU works, why not, and what to do')
    .description(
      'Says whether transcriptions run on the GPU; if not, why, and what to do.\n' +
        'Exit code 0: the GPU works, or was not required. 1: it does not, or the library itself cannot be loaded.',
    )
    .option('--require-gpu', 'fail unless the GPU works')
    .addOption(new Option('--json', 'print what backendInfo() answers').conflicts('markdown'))
    .option('--markdown', 'print a report for a bug report, without the name of the home folder')
    .option('--refresh', 'try the GPU again, whatever an earlier trial found')
    .action(async (flags: DoctorFlags) => {
      const info = await orAborted(backendInfo({ refresh: flags.refresh ?? false }), signal)
      process.stdout.write(render(info, flags))
      const works = info.active === 'hip' && info.reason === 'OK'
      if ((flags.requireGpu && !works) || info.reason === 'NATIVE_MISSING') fail(1)
    })
}

function render(info: BackendInfo, { json, markdown }: DoctorFlags): string {
  if (json) return `${JSON.stringify(info, null, 2)}\n`
  if (markdown) return markdownReport(info, surroundings(), homedir())
  return textReport(info, surroundings(), styleFor(process.stdout))
}
