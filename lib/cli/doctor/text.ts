import { asFlags } from '../as-flags.ts'
import type { Style } from '../style.ts'
import { table } from '../table.ts'
import { type Findings, sections, verdict } from './facts.ts'
import { fold, foldAdvice } from './layout.ts'
import type { Section } from './section.ts'
import type { Step } from './steps.ts'

/** The report for a terminal: the verdict first. */
export function textReport(findings: Findings, style: Style): string {
  const { info, run } = findings
  const works = info.active === 'hip' && info.reason === 'OK' && run?.works !== false
  const colour = works ? 'green' : info.reason === 'NATIVE_MISSING' ? 'red' : 'yellow'
  const blocks = [
    [style(colour, verdict(findings)), ...fold(`${info.reason}: ${info.message}`)],
    ...sections(findings).map((section) => [style('bold', section.title), ...content(section)]),
  ]
  return `${blocks.map((lines) => lines.join('\n')).join('\n\n')}\n`
}

function content({ table: rows = [], lines = [], steps = [] }: Section): string[] {
  return [
    ...steps.flatMap(numbered),
    ...table(rows).map((line) => `  ${line}`),
    ...lines.flatMap((line) => {
      const depth = 2 + line.length - line.trimStart().length
      return fold(line.trimStart(), ' '.repeat(depth), depth + 2)
    }),
  ]
}

function numbered({ text, alternatives }: Step, index: number): string[] {
  const indent = ' '.repeat(5)
  return [
    ...foldAdvice(asFlags(text), `  ${index + 1}. `),
    ...alternatives.flatMap((line) => foldAdvice(asFlags(line).replace(/^Or /, 'or '), `${indent}- `)),
  ]
}
