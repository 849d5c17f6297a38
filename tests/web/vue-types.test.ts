import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('the type check finds what is wrong in a template and in a script', async () => {
  const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
  const { code, stdout } = await promisify(execFile)(process.execPath, [
    at('../../node_modules/vue-tsc/bin/vue-tsc.js'),
    '-p',
    at('../types/faulty'),
  ]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (failed: { code: number; stdout: string }) => failed,
  );
  expect(code).not.toBe(0);
  expect(stdout.match(/\w+\.vue\(\d+,.*?TS\d+/g)).toEqual([
    'Page.vue(6,8): error TS2322',
    'Page.vue(7,17): error TS2353',
    'Page.vue(8,4): error TS2339',
    'Sum.vue(3,32): error TS18048',
    'Sum.vue(7,18): error TS2551',
  ]);
});
