/** Prints what the library in a folder says of the machine: `node doctor.cjs PACKAGE`. */
const { join } = require('node:path')

const { backendInfo } = require(join(process.argv[2], 'dist/index.js'))
backendInfo().then((info) => console.log(JSON.stringify(info)))
