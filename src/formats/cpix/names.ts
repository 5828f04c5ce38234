/** Namespaces of a CPIX document. There is one for every CPIX version. @see CPIX 2.3, Namespaces */
export const CPIX_NAMESPACE = 'urn:dashif:org:cpix'
export const PSKC_NAMESPACE = 'urn:ietf:params:xml:ns:keyprov:pskc'
export const XMLENC_NAMESPACE = 'http://www.w3.org/2001/04/xmlenc#'
export const XMLDSIG_NAMESPACE = 'http://www.w3.org/2000/09/xmldsig#'
/** The extension elements of SPEKE 1.0. */
export const SPEKE_NAMESPACE = 'urn:aws:amazon:com:speke'

/** Algorithm identifiers of content key encryption. @see CPIX 2.3, Key Management */
export const RSA_OAEP_MGF1P = 'http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p'
export const AES256_CBC = 'http://www.w3.org/2001/04/xmlenc#aes256-cbc'
export const HMAC_SHA512 = 'http://www.w3.org/2001/04/xmldsig-more#hmac-sha512'
