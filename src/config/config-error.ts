/** An invalid setting, which prevents the start. The message is one line: the variable, what was expected, what was given. */
export class ConfigError extends Error {
  readonly variable: string;

  constructor(variable: string, expected: string, got: string) {
    super(`${variable}: expected ${expected}, got ${got}`);
    this.name = 'ConfigError';
    this.variable = variable;
  }
}

/** All that is told of a secret. */
export const length = (secret: string): string => {
  const bytes = Buffer.byteLength(secret, 'utf8');
  return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
};
