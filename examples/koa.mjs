import Koa from 'koa'
import { createConnector } from 'cranker/connector'

const app = new Koa()
app.use((ctx) => {
  ctx.body = 'hello from Koa\n'
})

const connector = await createConnector({ routers: 'ws://localhost:8081', route: 'my-service', target: app.callback() })
process.once('SIGINT', () => connector.close())
