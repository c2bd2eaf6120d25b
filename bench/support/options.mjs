// @ts-check
import { BuildError } from '../../scripts/support/script.mjs'

/** @param {string} name @param {string} value */
export function positive(name, value) {
  const number = Number(value)
  if (Number.isInteger(number) && number > 0) return number
  throw new BuildError(`Expected a whole number above 0 for --${name} but received ${value}`)
}
