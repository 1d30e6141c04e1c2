import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { createConnector } from 'cranker/connector'

const app = new Hono()
app.get('/my-service/hello', (c) => c.text('hello from Hono\n'))

const target = getRequestListener(app.fetch)
const connector = await createConnector({ routers: 'ws://localhost:8081', route: 'my-service', target })
process.once('SIGINT', () => connector.close())
