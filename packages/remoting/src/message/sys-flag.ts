/** Bits of a message's sysFlag (spec: remoting, section 5.2; Java: org.apache.rocketmq.common.sysflag.MessageSysFlag). */
export const SysFlag = {
  COMPRESSED: 0x1,
  MULTI_TAGS: 0x2,
  TRANSACTION_PREPARED: 0x4,
  TRANSACTION_COMMIT: 0x8,
  TRANSACTION_ROLLBACK: 0xc,
  TRANSACTION_MASK: 0xc,
  BORN_HOST_V6: 0x10,
  STORE_HOST_V6: 0x20,
  NEED_UNWRAP: 0x40,
  INNER_BATCH: 0x80,
  COMPRESSION_MASK: 0x700,
  COMPRESSION_LZ4: 0x100,
  COMPRESSION_ZSTD: 0x200,
  COMPRESSION_ZLIB: 0x300,
} as const

/** 0 none, 4 prepared, 8 commit, 12 rollback. */
export const transactionType = (sysFlag: number): number => sysFlag & SysFlag.TRANSACTION_MASK

export const withTransactionType = (sysFlag: number, type: number): number => (sysFlag & ~SysFlag.TRANSACTION_MASK) | type

/** Bytes of a host field (address and port): 8, or 20 for IPv6. */
export const bornHostBytes = (sysFlag: number): number => ((sysFlag & SysFlag.BORN_HOST_V6) === 0 ? 8 : 20)
export const storeHostBytes = (sysFlag: number): number => ((sysFlag & SysFlag.STORE_HOST_V6) === 0 ? 8 : 20)
