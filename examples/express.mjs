import express from 'express'
import { createConnector } from 'cranker/connector'

const app = express()
app.get('/my-service/hello', (req, res) => res.send('hello from Express\n'))

const connector = await createConnector({ routers: 'ws://localhost:8081', route: 'my-service', target: app })
process.once('SIGINT', () => connector.close())
