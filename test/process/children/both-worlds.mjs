/** Loads the library by require and by import, and prints whether they are one. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { ENTRY, SMALL_MODEL } = process.env
const required = createRequire(import.meta.url)(ENTRY)
const imported = await import(pathToFileURL(ENTRY.replace(/\.js$/, '.mjs')).href)

const lines = []
required.setLogger(({ message }) => lines.push(message))
const model = await imported.loadModel(SMALL_MODEL, { backend: 'cpu' })
const error = await imported.loadModel('./not there', { backend: 'cpu' }).catch((reason) => reason)
await model.dispose()
console.log(
  JSON.stringify({
    names: Object.keys(required).every((name) => required[name] === imported[name]),
    logged: lines.length > 0,
    caught: error instanceof required.WhisperHipError,
  }),
)
