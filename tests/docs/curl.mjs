/** As much of curl as the docs use, for machines without it: -s -i -N -G -X -H -d -o, --data-urlencode. */
import { readFileSync, writeFileSync } from 'node:fs';

const flags = new Set();
const headers = new Headers({ 'user-agent': 'curl/8' });
const data = [];
let [url, method, output] = ['', undefined, undefined];

const urlencoded = (text) => {
  const at = text.indexOf('=');
  return text.slice(0, at + 1) + encodeURIComponent(text.slice(at + 1));
};
const VALUES = {
  X: (value) => {
    method = value;
  },
  H: (value) => headers.set(value.slice(0, value.indexOf(':')), value.slice(value.indexOf(':') + 1).trim()),
  d: (value) => data.push(value.startsWith('@') ? readFileSync(value.slice(1), 'utf8') : value),
  o: (value) => {
    output = value;
  },
};

const given = process.argv.slice(2);
while (given.length > 0) {
  const word = given.shift();
  if (word === '--data-urlencode') data.push(urlencoded(given.shift()));
  else if (!word.startsWith('-')) url = word;
  else if (!/^-[a-zA-Z]+$/.test(word)) throw new Error(`unknown option ${word}`);
  else
    for (const letter of word.slice(1)) {
      if (VALUES[letter]) VALUES[letter](given.shift());
      else if ('siNG'.includes(letter)) flags.add(letter);
      else throw new Error(`unknown option -${letter}`);
    }
}

const body = data.length > 0 && !flags.has('G') ? data.join('&') : undefined;
if (flags.has('G')) url += `?${data.join('&')}`;
if (body !== undefined && !headers.has('content-type'))
  headers.set('content-type', 'application/x-www-form-urlencoded');
const response = await fetch(url, {
  method: method ?? (body === undefined ? 'GET' : 'POST'),
  headers,
  body,
  redirect: 'manual',
});

// Whoever reads may have enough, as `head` does.
process.stdout.on('error', () => process.exit(0));
if (flags.has('i')) {
  process.stdout.write(`HTTP/1.1 ${response.status} ${response.statusText}\n`);
  for (const [name, value] of response.headers) process.stdout.write(`${name}: ${value}\n`);
  process.stdout.write('\n');
}
if (output !== undefined) writeFileSync(output, Buffer.from(await response.arrayBuffer()));
else for await (const chunk of response.body ?? []) process.stdout.write(chunk);
