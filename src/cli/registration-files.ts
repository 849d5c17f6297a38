import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Actions } from '../client/actions.js';
import { type Registration, registrationsOf } from '../client/registrations.js';
import { clip, StartError } from '../errors.js';

/** As registerActions takes them. */
interface RegisterAction {
  action: string;
  version: number;
  description?: string | null;
  severity?: string | null;
  resourceType?: string | null;
  schema?: unknown;
  redact?: { path: string; how: string }[];
}

/** What the files say of the actions of one module. Errors: StartError. */
export async function readRegistrations(
  files: readonly string[],
): Promise<{ module: string; registrations: RegisterAction[] }> {
  const found: Registration[] = [];
  for (const file of files) {
    const registrations = /\.json$/i.test(file) ? await readJson(file) : await readModule(file);
    if (registrations.length === 0)
      throw new StartError(`${file}: expected what defineActions made among its exports, got none`);
    found.push(...registrations);
  }
  const [module = '', ...others] = new Set(found.map((each) => each.module));
  if (others.length > 0)
    throw new StartError(
      `expected the actions of one module, got those of ${[module, ...others].map((each) => clip(each)).join(', ')}`,
    );
  return { module, registrations: found.map(toInput) };
}

async function readJson(file: string): Promise<Registration[]> {
  const expected = `${file}: expected a JSON list of registrations`;
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    throw new StartError(`${expected}: ${(error as Error).message.split('\n')[0]}`);
  }
  if (!Array.isArray(value)) throw new StartError(`${expected}, got ${clip(value)}`);
  return value.map((each: unknown) => {
    if (typeof each !== 'object' || each === null || typeof (each as Registration).module !== 'string')
      throw new StartError(`${expected}, each an object that names its module, got ${clip(each)}`);
    return each as Registration;
  });
}

async function readModule(file: string): Promise<Registration[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (error) {
    throw new StartError(
      `${file}: expected a module that can be imported: ${(error as Error).message.split('\n')[0]}`,
      { cause: error },
    );
  }
  // CommonJS has its exports in default, too.
  return [...new Set(Object.values(exported))].filter(isActions).flatMap(registrationsOf);
}

const isActions = (value: unknown): value is Actions =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Actions).module === 'string' &&
  typeof (value as Actions).actions === 'object' &&
  (value as Actions).actions !== null;

/** Of a list in JSON, what is left out is not said. */
function toInput({
  action,
  version,
  schema,
  severity,
  resource,
  redaction,
  description,
}: Registration): RegisterAction {
  return {
    action,
    version,
    description,
    severity,
    resourceType: resource,
    schema,
    redact: (Array.isArray(redaction) ? redaction : []).map(({ path, how }) => ({
      path,
      how: String(how).toUpperCase(),
    })),
  };
}
