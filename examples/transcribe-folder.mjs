/**
 * Writes a text file beside each recording of a folder. The model is loaded once; two recordings are worked on at a
 * time, and the others wait. One that cannot be read does not stop the others. Ctrl-C stops all of them.
 *
 *   node examples/transcribe-folder.mjs FOLDER [MODEL]
 */
import { readdir, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { loadModel } from 'whisper-hip'

const [folder, name = 'base'] = process.argv.slice(2)
if (folder === undefined) {
  console.error('Usage: node examples/transcribe-folder.mjs FOLDER [MODEL]')
  process.exit(2)
}

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort(new Error('interrupted')))
const { signal } = interruption

const recordings = (await readdir(folder)).filter((file) => /\.(wav|mp3|flac|ogg)$/i.test(file))
const model = await loadModel(name, { concurrency: 2, signal })
try {
  await Promise.all(
    recordings.map(async (file) => {
      try {
        const { text, stats } = await model.transcribe(join(folder, file), { signal })
        await writeFile(join(folder, `${file.slice(0, -extname(file).length)}.txt`), `${text}\n`)
        console.log(`${file}: done in ${stats.wallSeconds.toFixed(1)} s`)
      } catch (error) {
        console.error(`${file}: ${error.message}`)
        process.exitCode = 1
      }
    }),
  )
} finally {
  await model.dispose()
}
