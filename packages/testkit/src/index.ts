export * from './random.ts'
export * from './fake-clock.ts'
export * from './memory-disk/memory-disk.ts'
export {
  type CallMatch,
  type DiskOperation,
  type Fault,
  type FaultPlan,
  type Gate,
  type PlannedFault,
} from './memory-disk/faults.ts'
export { type DiskFactory, type TestTools, testDisk } from './disk-conformance.ts'
