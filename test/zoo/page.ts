/** The table of docs/zoo.md. */
import { DEFECTS } from './defects.ts'

export const zooTable = (): string =>
  [
    '| defect | where it was told | what notices it |',
    '|---|---|---|',
    ...DEFECTS.map(defect =>
      'broker' in defect
        ? `| ${defect.what} | ${defect.from} | the rules of brokers: the mutant "${defect.broker}" |`
        : `| ${defect.what} | ${defect.from} | \`${defect.by[0]}\`: "${defect.by[1]}" |`,
    ),
  ].join('\n')
