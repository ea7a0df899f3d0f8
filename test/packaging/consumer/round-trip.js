// Sends a message and consumes it: `node round-trip.js PACKAGE OPTIONS`.
const [name, options] = process.argv.slice(2)
const { connect, json, topic } = await import(name)

const connection = connect({ ...JSON.parse(options), topics: [topic('Packaging', { codec: json })] })
const { id } = await connection.producer('Packaging').send({ by: name })
for await (const message of connection.consumer({ topics: ['Packaging'], group: name.replace(/\W/g, '-') })) {
  await message.acked()
  if (message.id !== id) continue
  console.log(JSON.stringify(message.value))
  break
}
await connection.close()
