import type { BackendInfo } from '../../index.ts'
import type { Style } from '../style.ts'
import { table } from '../table.ts'
import { type Surroundings, sections, verdict } from './facts.ts'

/** The report for a terminal: the verdict first. */
export function textReport(info: BackendInfo, surroundings: Surroundings, style: Style): string {
  const works = info.active === 'hip' && info.reason === 'OK'
  const colour = works ? 'green' : info.reason === 'NATIVE_MISSING' ? 'red' : 'yellow'
  const blocks = [
    [style(colour, verdict(info)), `${info.reason}: ${info.message}`],
    ...sections(info, surroundings).map(({ title, table: rows, lines = [], steps = [] }) => [
      style('bold', title),
      ...[...(rows === undefined ? [] : table(rows)), ...lines, ...numbered(steps)].map(
        (line) => `  ${line}`,
      ),
    ]),
  ]
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function numbered(steps: readonly string[]): string[] {
  return steps.map((step, i) => `${i + 1}. ${step}`)
}
