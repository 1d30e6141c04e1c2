/** `node in-process.mjs REGISTRATION_URL PROTOCOL`: a connector with the service inside, without a port. */
import { createConnector } from '../../dist/connector/index.js'
import { app } from './origin-app.mjs'

const [router, protocol] = process.argv.slice(2)
await createConnector({ routers: router, route: '*', target: app, protocols: [protocol], insecureSkipVerify: true })
