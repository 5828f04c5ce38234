import { KID, KIDS, requestFor, WIDEVINE } from '../../test/protocols/speke/documents.ts'

export { KID, KIDS, requestFor, WIDEVINE }

/** A sound request of a content. */
export const SOUND = requestFor({ contentId: 'attack' })

/** A sound request with something before its end tag. */
export const withInside = (xml: string): string => SOUND.replace('</cpix:CPIX>', `${xml}</cpix:CPIX>`)

/** A sound request whose content has this id. */
export const withContentId = (escaped: string): string => SOUND.replace('contentId="attack"', `contentId="${escaped}"`)

/** A sound request for these recipients. */
export const withRecipients = (...certificates: readonly string[]): string =>
  requestFor({ contentId: 'attack' }, { deliveryData: certificates.map(recipientOf).join('') })

const recipientOf = (certificate: string): string =>
  `<cpix:DeliveryData><cpix:DeliveryKey><ds:X509Data xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Certificate>${certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData>`
