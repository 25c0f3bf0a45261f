// Reads topics from their beginning to their end with standard clients and prints one JSON document:
// {topic: [{partition, offset, key, headers, value}]}, amounts as decimal text, times as microseconds.
//
//   node read.mjs <bootstrap servers> <registry address> <topic>...

import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { Consumer, MessagesStreamModes, ListOffsetTimestamps } from '@platformatic/kafka'
import avro from 'avsc'
import { randomUUID } from 'node:crypto'

class DecimalType extends avro.types.LogicalType {
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

const [bootstrap, registryAddress, ...topics] = process.argv.slice(2)
const registry = new SchemaRegistry(
  { host: registryAddress },
  { [SchemaType.AVRO]: { logicalTypes: { decimal: DecimalType } } }
)
const consumer = new Consumer({ clientId: 'reader', groupId: `reader-${randomUUID()}`, bootstrapBrokers: [bootstrap] })
const ends = await consumer.listOffsets({ topics, timestamp: ListOffsetTimestamps.LATEST })
let left = topics.reduce((sum, topic) => sum + ends.get(topic).reduce((all, end) => all + Number(end), 0), 0)
const found = Object.fromEntries(topics.map(topic => [topic, []]))

if (left > 0) {
  const stream = await consumer.consume({ topics, mode: MessagesStreamModes.EARLIEST, autocommit: false })
  for await (const { topic, partition, offset, key, headers, value } of stream) {
    found[topic].push({
      partition,
      offset: Number(offset),
      key: key?.toString() ?? null,
      headers: Object.fromEntries([...headers].map(([name, text]) => [name.toString(), text.toString()])),
      value: await registry.decode(value)
    })
    left -= 1
    if (left === 0) break
  }
}
await consumer.close(true)
console.log(JSON.stringify(found))
