// Everything that a reader of text takes for the end of a line: also vertical tab, form feed, NEL and the separators of Unicode.
const lineEnds = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/u

/** The lines of a text, without white space at their ends and without empty ones: an empty line would end a subtitle. */
export function textLines(text: string): string[] {
  return text
    .replaceAll('\0', '')
    .split(lineEnds)
    .map((line) => line.trim())
    .filter((line) => line !== '')
}

/** A text on one line. */
export function oneLine(text: string): string {
  return textLines(text).join(' ')
}
