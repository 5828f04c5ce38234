/** A SPEKE request that uses what a request may: declaration, comments, CDATA, references, both quotes, non-ASCII text. */
export const SAMPLE = `<?xml version="1.0" encoding="UTF-8"?>
<!-- live channel -->
<cpix:CPIX contentId="köln &amp; 東京" version='2.3' xmlns:cpix="urn:dashif:org:cpix" xmlns:pskc="urn:ietf:params:xml:ns:keyprov:pskc">
  <cpix:ContentKeyList>
    <cpix:ContentKey kid="98ee5596-cd3e-a20d-163a-e382420c6eff" commonEncryptionScheme="cbcs"/>
    <cpix:ContentKey kid="53abdba2-f210-43cb-bc90-f18f9a890a02" commonEncryptionScheme="cbcs"></cpix:ContentKey>
  </cpix:ContentKeyList>
  <cpix:DRMSystemList>
    <!-- Widevine -->
    <cpix:DRMSystem kid="98ee5596-cd3e-a20d-163a-e382420c6eff" systemId="edef8ba9-79d6-4ace-a3c8-27dcd51d21ed">
      <cpix:PSSH />
      <cpix:HLSSignalingData playlist="media">a&#x2013;b<![CDATA[<c>]]></cpix:HLSSignalingData>
    </cpix:DRMSystem>
  </cpix:DRMSystemList>
</cpix:CPIX>`

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
