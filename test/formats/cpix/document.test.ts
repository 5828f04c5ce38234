import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readCpix } from '../../../src/formats/cpix/document.ts'
import { readXml } from '../../../src/formats/xml/reader.ts'

const read = (inner: string) =>
  readCpix(readXml(Buffer.from(`<CPIX xmlns="urn:dashif:org:cpix" xmlns:x="urn:x" contentId="c">${inner}</CPIX>`)))

describe('rejects a list or an entry that CPIX has elsewhere', () => {
  for (const inner of [
    '<ContentKeyList><DeliveryDataList/></ContentKeyList>',
    '<ContentKeyList><ContentKey><DeliveryData/></ContentKey></ContentKeyList>',
    '<DRMSystemList><DRMSystem><DeliveryDataList><DeliveryData/></DeliveryDataList></DRMSystem></DRMSystemList>',
    '<DeliveryData/>',
    '<x:DeliveryDataList/>',
    '<x:a><DeliveryDataList><DeliveryData/></DeliveryDataList></x:a>',
    '<x:a><x:DeliveryDataList/></x:a>',
    '<DeliveryDataList><x:DeliveryData/></DeliveryDataList>',
    '<DeliveryDataList><DeliveryData><DeliveryDataList/></DeliveryData></DeliveryDataList>',
    '<ContentKeyList><ContentKey><ContentKeyUsageRuleList/></ContentKey></ContentKeyList>',
    '<DRMSystemList><ContentKey/></DRMSystemList>',
  ]) {
    test(inner, () => assert.throws(() => read(inner), { code: 'ERR_CPIX_INVALID', message: /only in/ }))
  }
})

test('accepts elements of other namespaces', () => {
  const { lists } = read(
    '<x:ContentKey/><ContentKeyList><ContentKey><x:Data/></ContentKey></ContentKeyList><x:a><x:b/></x:a>',
  )
  assert.deepEqual(Object.keys(lists), ['ContentKeyList'])
})
