export { principalOf, type TokenClaims } from './claims.ts'
export { joinKeys, KeyError, keysOfText, keysOfUrl, type TokenKeys } from './keys.ts'
export { type NewToken, signToken, type TokenRights } from './sign.ts'
export { anonymous, tokenAuthentication, type VerifyOptions } from './verify.ts'
