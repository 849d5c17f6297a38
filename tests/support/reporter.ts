import type { Reporter, TestModule } from 'vitest/node';

/** Ends the output with the one line that scripts read: `N passed, N failed`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    // What nobody handled is a failure, whichever test was running.
    let [passed, failed] = [0, unhandled.length];
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      passed += tests.filter((test) => test.result().state === 'passed').length;
      failed += tests.filter((test) => test.result().state === 'failed').length;
      // A file that could not even be read has no test that failed, and is no success.
      if (module.state() === 'failed' && !tests.some((test) => test.result().state === 'failed')) failed += 1;
    }
    process.once('exit', () => console.log(`${passed} passed, ${failed} failed`));
  }
}
