import { Command } from 'commander'
import { describeInput, type ModelReport } from '../../model/inspect.ts'
import type { CommandContext } from '../context.ts'
import { tellError } from '../failures.ts'
import { table } from '../table.ts'

/** `whisper-hip inspect` */
export function inspectCommand(context: CommandContext): Command {
  return new Command('inspect')
    .summary('say what a model file is and what it needs')
    .description(
      'Says what a model is, without loading it: format, shape, vocabulary, types of tensors, memory; or what keeps it from loading (exit code 1).',
    )
    .argument('<file>', 'a file, a checkpoint folder, or a name of the catalogue')
    .option('--json', 'print JSON')
    .action((file: string, flags: { json?: true }) => inspect(file, flags, context))
}

async function inspect(
  file: string,
  { json }: { json?: true },
  { signal, fail }: CommandContext,
): Promise<void> {
  const { report, error } = await describeInput(file, signal)
  if (json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  else if (report.loads) process.stdout.write(`${linesOf(report).join('\n')}\n`)
  else tellError(error)
  if (!report.loads) fail(1)
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

function linesOf(report: ModelReport & { loads: true }): string[] {
  const { hyperparameters: h, vocabulary, memory } = report
  const facts = [
    ['file', `${report.files.join(', ')}, ${megabytes(report.fileBytes)}`],
    ['format', `${report.format}, ${report.dialect}`],
    ['model', `${report.architecture}, ${(report.parameters / 1e6).toFixed(1)} million weights`],
    ...(report.name === undefined ? [] : [['name', report.name]]),
    ...(report.license === undefined ? [] : [['licence', report.license]]),
    [
      'encoder',
      `${h.audioLayers} layers, ${h.audioState} wide, ${h.audioHeads} heads, ${h.audioContext} positions`,
    ],
    [
      'decoder',
      `${h.textLayers} layers, ${h.textState} wide, ${h.textHeads} heads, ${h.textContext} positions`,
    ],
    ['mel bins', `${h.melBins}`],
    [
      'vocabulary',
      `${h.vocabularySize} tokens, ${vocabulary.textTokens} of them text; ${report.languages} languages`,
    ],
    [
      'in memory',
      `${report.weightType}${report.conversions.length > 0 ? ` (${report.conversions.join(', ')})` : ''}`,
    ],
  ]
  const types = report.tensors.map(({ type, count, bytes }) => [type, `${count}`, megabytes(bytes)])
  const needs = memory.map(({ beams, weights, buffers, perState, total }) => [
    `${beams}`,
    megabytes(weights),
    megabytes(buffers),
    megabytes(perState),
    megabytes(total),
  ])
  return [
    ...table(facts),
    '',
    ...table([['STORED AS', 'TENSORS', 'SIZE'], ...types]),
    '',
    ...table([['BEAMS', 'WEIGHTS', 'BUFFERS', 'ONE TRANSCRIPTION', 'TOGETHER'], ...needs]),
    'The memory is that of the device that computes, CPU or GPU, without what its driver needs.',
  ]
}
