// Writes Python for openapi.json, with nothing but the standard library in it: a class for each of its schemas, which is read from
// and written as JSON: node python-types.mjs openapi.json reel_types.py
import { readFileSync, writeFileSync } from 'node:fs';
import { InputData, JSONSchemaInput, JSONSchemaStore, quicktype } from 'quicktype-core';

const [from, to] = process.argv.slice(2);
/** Times stay text: Python's own have no place for what RFC 3339 allows, and quicktype's want a package. */
const withoutTimes = (name, value) => (name === 'format' && value === 'date-time' ? undefined : value);
const description = JSON.parse(readFileSync(from, 'utf8'), withoutTimes);

const { schemas } = description.components;
for (const [name, schema] of Object.entries(schemas)) schema.title = name;
const refs = Object.keys(schemas).map((name) => [name, { $ref: `#/components/schemas/${name}` }]);

class Description extends JSONSchemaStore {
  fetch() {
    return Promise.resolve({ ...description, type: 'object', properties: Object.fromEntries(refs) });
  }
}

const input = new JSONSchemaInput(new Description());
// One for all, so that a schema that others name is one class.
await input.addSource({ name: 'OfReel', uris: ['openapi.json'] });
const inputData = new InputData();
inputData.addInput(input);
const { lines } = await quicktype({
  inputData,
  lang: 'python',
  rendererOptions: { 'python-version': '3.7' },
});
writeFileSync(to, lines.join('\n'));
