// Two files, so that a client has only the table it needs.
export { checkClientFrame } from './check-client.ts'
export { checkServerFrame } from './check-server.ts'
