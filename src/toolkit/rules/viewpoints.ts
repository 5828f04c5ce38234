import { ENCRYPTORS, type EncryptorName } from '../../protocols/speke/tables/encryptors.ts'

/** Whose demands a document is held to: the names of `--as`. */
export const VIEWPOINTS = ENCRYPTORS
export type Viewpoint = EncryptorName
