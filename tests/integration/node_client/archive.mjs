// Reads Avro object container files with avsc and prints one JSON document: {file: [record]}, amounts as decimal text,
// times as numbers, bytes as text.
//
//   node archive.mjs <file>...

import avro from 'avsc'

import { DecimalType } from './decimal.mjs'

const parseHook = schema => avro.Type.forSchema(schema, { logicalTypes: { decimal: DecimalType } })
const found = {}
for (const file of process.argv.slice(2)) {
  found[file] = await new Promise((resolve, reject) => {
    const records = []
    avro.createFileDecoder(file, { parseHook })
      .on('data', record => records.push({ ...record, key: record.key?.toString() ?? null }))
      .on('end', () => resolve(records))
      .on('error', reject)
  })
}
console.log(JSON.stringify(found))
