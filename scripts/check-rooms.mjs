#!/usr/bin/env node
// @ts-check
/**
 * Checks who includes whom in `binding/`: a room, which is a folder, knows itself and the rooms on its left, no file includes itself by
 * way of others, and only the addon knows Node.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { BuildError, isMain, run } from './support/script.mjs'

/** From the left to the right, as CONTRIBUTING.md lists them from above. */
const ROOMS = [
  'cpu',
  'support',
  'audio',
  'vad',
  'backend',
  'kernels',
  'engine',
  'model',
  'transcribe',
  'stream',
  'addon',
]
/** The room of Node's interface; binding/addon.cpp, which stands outside, is its table of contents. */
const ADDON = 'addon'
const ADDON_TABLE = 'addon.cpp'

/**
 * @param {string} folder with the rooms
 * @returns {string[]} one sentence per problem
 */
export function checkRooms(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(h|cpp|cu)$/.test(name))
    .sort()
  const included = new Map(files.map((file) => [file, includesOf(folder, file, files)]))
  return [
    ...files.flatMap((file) => checkRoom(file)),
    ...[...included].flatMap(([file, { own, node }]) => [
      ...own
        .filter((other) => !mayKnow(file, other))
        .map((other) => `${file} includes ${other}, which is on its right`),
      ...(node && roomOf(file) !== ADDON ? [`${file} includes <${node}>, which only ${ADDON} does`] : []),
    ]),
    ...findCircles(included),
  ]
}

/** @param {string} file */
function roomOf(file) {
  return file === ADDON_TABLE ? ADDON : file.includes('/') ? file.slice(0, file.indexOf('/')) : ''
}

/** @param {string} file */
function checkRoom(file) {
  const room = roomOf(file)
  if (ROOMS.includes(room)) return []
  return [room ? `${file} is in a room that scripts/check-rooms.mjs does not know` : `${file} is in no room`]
}

/** @param {string} file @param {string} other */
function mayKnow(file, other) {
  return ROOMS.indexOf(roomOf(other)) <= ROOMS.indexOf(roomOf(file))
}

/**
 * The files of ours that a file includes, and the header of Node, if there is one.
 * @param {string} folder @param {string} file @param {string[]} files
 */
function includesOf(folder, file, files) {
  const source = readFileSync(join(folder, file), 'utf8')
  const names = [...source.matchAll(/^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]/gm)].map(
    ([, name = '']) => name,
  )
  const own = names.flatMap((name) => {
    const found = [join(dirname(file), name), join(name)].find((path) => files.includes(path))
    return found === undefined ? [] : [found]
  })
  return {
    own,
    node: names.find((name) => /^(napi|node_api|js_native_api|node|uv|v8)\b.*\.h$/.test(basename(name))),
  }
}

/** @param {Map<string, { own: string[] }>} included */
function findCircles(included) {
  /** @type {string[]} */
  const circles = []
  const done = new Set()
  /** @param {string} file @param {string[]} path */
  const walk = (file, path) => {
    const start = path.indexOf(file)
    if (start >= 0) circles.push(`${[...path.slice(start), file].join(' -> ')} is a circle`)
    if (start >= 0 || done.has(file)) return
    for (const other of included.get(file)?.own ?? []) walk(other, [...path, file])
    done.add(file)
  }
  for (const file of included.keys()) walk(file, [])
  return circles
}

if (isMain(import.meta.url)) {
  await run(async () => {
    const problems = checkRooms(join(packageRoot, 'binding'))
    if (problems.length > 0) throw new BuildError(['Rooms of binding/:', ...problems].join('\n  '))
  })
}
