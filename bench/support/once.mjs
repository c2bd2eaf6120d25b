// @ts-check
/** `node once.mjs RECORDING OPTIONS`: what a program that transcribes one recording does. OPTIONS is JSON. */
import { library } from './library.mjs'

const [recording = '', options = '{}'] = process.argv.slice(2)
const { text } = await library().transcribe(recording, {
  model: 'base',
  backend: 'cpu',
  ...JSON.parse(options),
})
console.log(text)
