/**
 * Brokers and stores that are wrong in one way each: what the conformance suites must notice. Each is a thin wrapper around the
 * memory broker or store; nothing in the library knows of them.
 */
import { historicMutants } from './mutants-history.ts'
import { keepingMutants } from './mutants-keeping.ts'
import { takingMutants } from './mutants-taking.ts'

export { storeMutants } from './mutants-stores.ts'
export const brokerMutants = [...takingMutants, ...keepingMutants, ...historicMutants]
