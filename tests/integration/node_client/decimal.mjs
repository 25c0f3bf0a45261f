// decimal(38,18) as decimal text.

import avro from 'avsc'

export class DecimalType extends avro.types.LogicalType {
  constructor (schema, options) {
    super(schema, options)
    this.scale = schema.scale
  }

  _fromValue (bytes) {
    const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex') || '0'}`))
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(this.scale + 1, '0')
    const text = `${digits.slice(0, -this.scale)}.${digits.slice(-this.scale)}`.replace(/\.?0+$/, '')
    return unscaled < 0n ? `-${text}` : text
  }

  // avsc takes a field's default through here and back
  _toValue (text) {
    const [whole, fraction = ''] = text.split('.')
    const unscaled = BigInt(whole + fraction.padEnd(this.scale, '0'))
    let length = 1
    while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length += 1
    return Buffer.from(BigInt.asUintN(length * 8, unscaled).toString(16).padStart(length * 2, '0'), 'hex')
  }
}
