import { createConnector } from 'cranker/connector'

const app = (req, res) => {
  res.setHeader('content-type', 'text/plain')
  res.end(`hello from a service without a port: ${req.method} ${req.url}\n`)
}

const connector = await createConnector({ routers: 'ws://localhost:8081', route: 'my-service', target: app })
connector.on('registered', ({ router, version }) => console.log(`registered with ${router}, protocol ${version}`))
connector.on('lost', ({ router, reason, retryIn }) => console.log(`lost ${router}: ${reason}; again in ${retryIn} ms`))

process.once('SIGTERM', () => connector.close())
process.once('SIGINT', () => connector.close())
