/** A namespace of contents. Only the caller's credential decides the tenant. */
export type Tenant = string

/** Identifies a content. */
export interface ContentRef {
  readonly tenant: Tenant
  readonly contentId: string
}
