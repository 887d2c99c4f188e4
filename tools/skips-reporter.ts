import type { Reporter, TestModule } from 'vitest/node';

/** Names every skipped test and why, after the run: a test that can't run here must not pass for one that did. */
export default class SkipsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) =>
      [...module.children.allTests('skipped')].map((test) => {
        const result = test.result();
        const note = result.state === 'skipped' ? result.note : undefined;
        return `  ${module.relativeModuleId} > ${test.fullName}${note ? `: ${note}` : ''}`;
      }),
    );
    if (lines.length > 0) console.log(`\nSkipped (${lines.length}):\n${lines.join('\n')}`);
  }
}
