import { types } from 'node:util'
import { checkString, invalidArgument } from '../check.ts'

const name = 'suppressRegex'
const longestSource = 256
const mostRepeats = 256

/**
 * Checks a regular expression for the native side, which compiles it with `std::regex` (ECMAScript grammar, on bytes): what that
 * one does not know, or reads in another way than JavaScript, is refused here.
 *
 * @returns the source of the expression
 * @throws `ERR_INVALID_ARGUMENT` naming the construct that is not supported
 */
export function parseSuppressRegex(value: unknown): string {
  if (types.isRegExp(value) && value.flags !== '') {
    throw invalidArgument('a RegExp without flags', name, `/${value.source}/${value.flags}`)
  }
  const given = types.isRegExp(value) ? value.source : value
  if (typeof given !== 'string') throw invalidArgument('a string or RegExp', name, value)
  const source = checkString(given, name, 1, longestSource)
  try {
    new RegExp(source)
  } catch (cause) {
    throw invalidArgument('a regular expression', name, source, { cause })
  }
  const construct = findUnsupported(source)
  if (construct !== undefined) {
    throw invalidArgument(`a regular expression without ${construct}`, name, source)
  }
  return source
}

/** The rest of the source at a position outside a class, and the construct that it would be. */
const refusedOutside: readonly [RegExp, string][] = [
  [/^\(\?<[=!]/, 'look-behind'],
  [/^\(\?<|^\\k/, 'named groups'],
  [/^\(\?(?![:=!<])/, 'modifiers'],
  [/^\\[1-9]/, 'back-references'],
  [/^\{(?!\d+(,\d*)?\})/, 'a literal {, which needs a backslash,'],
]
const refusedInside: readonly [RegExp, string][] = [
  [/^\[[:.=]/, 'POSIX classes'],
  [/^[^\0-\x7f]/, 'characters beyond ASCII in a class'],
]
const refusedAnywhere: readonly [RegExp, string][] = [
  [/^\\[pP]/, 'Unicode properties'],
  [/^\\u(?!00[0-7][\da-fA-F])|^\\x(?![0-7][\da-fA-F])/, 'character codes beyond ASCII'],
  [/^\\0\d|^\\c(?![a-zA-Z])/, 'legacy escapes'],
]
const oneUnit = /^(\\.|.)/su

function findUnsupported(source: string): string | undefined {
  let inClass = false
  for (let at = 0; at < source.length; ) {
    const rest = source.slice(at)
    const refused = [...(inClass ? refusedInside : refusedOutside), ...refusedAnywhere]
    const hit = refused.find(([pattern]) => pattern.test(rest))
    if (hit !== undefined) return hit[1]
    if (!inClass && /^\[\^?\]/.test(rest)) return 'an empty class'
    if (!inClass && /^\\?[^\0-\x7f][*+?{]/u.test(rest))
      return 'a repeated character beyond ASCII, which needs a group,'
    const counts = inClass ? null : /^\{(\d+),?(\d*)\}/.exec(rest)
    if (counts !== null && Math.max(Number(counts[1]), Number(counts[2])) > mostRepeats) {
      return `more than ${mostRepeats} repeats`
    }
    const unit = oneUnit.exec(rest)?.[0] ?? ''
    if (unit === '[' && !inClass) inClass = true
    else if (unit === ']') inClass = false
    at += Math.max(unit.length, 1)
  }
  return undefined
}
