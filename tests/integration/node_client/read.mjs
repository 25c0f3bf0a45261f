// Reads topics from their beginning to their end with standard clients and prints one JSON document:
// {topic: [{partition, offset, key, headers, value}]}, amounts as decimal text, times as microseconds.
//
//   node read.mjs <bootstrap servers> <registry address> <topic>...

import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry'
import { Consumer, MessagesStreamModes, ListOffsetTimestamps } from '@platformatic/kafka'
import { randomUUID } from 'node:crypto'

import { DecimalType } from './decimal.mjs'

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
