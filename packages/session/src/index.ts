export * from './link.ts'
export * from './principal.ts'
export * from './types.ts'
export * from './subscription.ts'
