/** Runs before `npm start` and `npm test`: on a fresh clone it installs and builds, afterwards only what has changed. */
import { fileURLToPath } from 'node:url'
import { build } from './build.mjs'
import { installMissing } from './install.mjs'
import { requireNode } from './node-version.mjs'

requireNode(20, 19)
const root = new URL('..', import.meta.url)
installMissing(root)
if (!(await build(fileURLToPath(root), { ifStale: true }))) process.exit(1)
