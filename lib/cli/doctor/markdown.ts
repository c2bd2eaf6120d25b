import { type Findings, sections, verdict } from './facts.ts'
import type { Machine } from './machine.ts'
import type { Section } from './section.ts'
import type { Step } from './steps.ts'

/**
 * The report for a bug report.
 * @param home folder of the user, which is shortened to `~` so that no name is made public; empty: none
 */
export function markdownReport(findings: Findings, home: string): string {
  const { info, machine } = findings
  const blocks = [
    `**${escapeMarkup(verdict(findings))}.**`,
    `\`${info.reason}\`: ${escapeMarkup(info.message)}`,
    ...sections({ ...findings, machine: withoutName(machine) }).flatMap(describe),
  ]
  return shortenHome(`${blocks.join('\n\n')}\n`, home)
}

/** Numbers say as much of users and groups. */
function withoutName(machine: Machine): Machine {
  const { user } = machine
  const groups = user.groups.map(({ gid, name }) => ({ gid, name: name === user.name ? null : name }))
  return { ...machine, user: { ...user, name: null, groups } }
}

function describe({ title, table: rows, lines = [], steps = [] }: Section): string[] {
  const blocks = [`### ${title}`]
  if (steps.length > 0) blocks.push(steps.map(numbered).join('\n'))
  if (rows !== undefined) blocks.push(markdownTable(rows))
  // Paths, versions and variables are quoted as they are.
  if (lines.length > 0) blocks.push(`\`\`\`text\n${lines.join('\n').replaceAll('```', "'''")}\n\`\`\``)
  return blocks
}

function numbered({ text, alternatives }: Step, index: number): string {
  const others = alternatives.map((line) => `   - ${escapeMarkup(line)}`)
  return [`${index + 1}. ${escapeMarkup(text)}`, ...others].join('\n')
}

function markdownTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(escapeMarkup).join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** What Markdown would take for markup. */
function escapeMarkup(text: string): string {
  return text.replace(/[\\`*_|<>[\]]/g, '\\$&').replace(/\s*[\r\n]+\s*/g, ' ')
}

function shortenHome(text: string, home: string): string {
  if (home === '' || home === '/') return text
  // Not within a longer name: /home/ann is no part of /home/anna.
  return [home, escapeMarkup(home)].reduce(
    (shorter, folder) =>
      shorter.replace(new RegExp(`${folder.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?![\\w-])`, 'g'), '~'),
    text,
  )
}
