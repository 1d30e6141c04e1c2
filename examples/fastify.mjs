import Fastify from 'fastify'
import { createConnector } from 'cranker/connector'

const app = Fastify()
app.get('/my-service/hello', () => 'hello from Fastify\n')
await app.ready()

const connector = await createConnector({ routers: 'ws://localhost:8081', route: 'my-service', target: app.server })
process.once('SIGINT', async () => {
  await connector.close()
  await app.close()
})
