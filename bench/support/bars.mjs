// @ts-check
/** Pairs of bars as SVG, without a script or a font of its own. */

const WIDTH = 720
const NAMES = 250
const BAR = 16
const GROUP = 56

/** @param {string} text */
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/**
 * @param {string} title
 * @param {readonly [string, string]} sides whose bars they are
 * @param {readonly { name: string, seconds: readonly [number, number] }[]} groups
 * @returns {string}
 */
export function bars(title, sides, groups) {
  const most = Math.max(...groups.flatMap(({ seconds }) => seconds))
  const scale = (WIDTH - NAMES - 90) / most
  const rows = groups.flatMap(({ name, seconds }, index) => {
    const top = 76 + index * GROUP
    const pair = seconds.map((value, side) => {
      const y = top + side * (BAR + 3)
      const end = NAMES + value * scale
      return `  <rect class="side${side}" x="${NAMES}" y="${y}" width="${(value * scale).toFixed(1)}" height="${BAR}"/>
  <text x="${(end + 8).toFixed(1)}" y="${y + 13}">${value.toFixed(1)} s</text>`
    })
    return [`  <text x="${NAMES - 12}" y="${top + 22}" text-anchor="end">${escaped(name)}</text>`, ...pair]
  })
  const legend = sides.map(
    (side, index) =>
      `  <rect class="side${index}" x="${NAMES + index * 170}" y="40" width="12" height="12"/>
  <text x="${NAMES + index * 170 + 18}" y="51">${escaped(side)}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${86 + groups.length * GROUP}" viewBox="0 0 ${WIDTH} ${86 + groups.length * GROUP}" role="img">
  <title>${escaped(title)}</title>
  <style>
    text { font: 13px system-ui, sans-serif; fill: #57606a } .title { font-weight: 600 }
    .side0 { fill: #cf222e } .side1 { fill: #8c959f }
  </style>
  <text class="title" x="16" y="24">${escaped(title)}</text>
${[...legend, ...rows].join('\n')}
</svg>
`
}
