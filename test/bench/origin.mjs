/** `node origin.mjs PORT`: the service on a port of its own. */
import { createServer } from 'node:http'
import { app } from './origin-app.mjs'

createServer({ keepAliveTimeout: 600_000 }, app).listen(Number(process.argv[2]), '127.0.0.1', 4096)
