import { buildDoubles } from './build.mjs'

/** Of the projects `hip-fake` and `hip`: compiles the test doubles. */
export default function setup(): void {
  buildDoubles()
}
