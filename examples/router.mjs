import { createRouter } from 'cranker/router'

const router = await createRouter({
  port: 8080,
  registrationPort: 8081,
  accessLog: ({ method, target, status, duration }) => console.log(method, target, status, `${duration.toFixed(1)} ms`),
})
console.log(`clients: ${router.address.public.url}   connectors: ${router.address.registration.url}`)

process.once('SIGTERM', () => router.close())
process.once('SIGINT', () => router.close())
