/** What an editor shows when the pointer rests on a name, as TypeScript's own language service says it. TypeScript 5.4: 7 has none in JavaScript. */
import { join } from 'node:path'
import ts from 'typescript-5.4'

/** By the marks of a file: a comment before the name. Spaces and line breaks are one space. */
export function hoversOf(folder: string, file: string): Record<string, string> {
  const { config } = ts.readConfigFile(join(folder, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, folder)
  const path = join(folder, file)
  const service = ts.createLanguageService({
    fileExists: ts.sys.fileExists,
    readFile: ts.sys.readFile,
    readDirectory: ts.sys.readDirectory,
    directoryExists: ts.sys.directoryExists,
    getDirectories: ts.sys.getDirectories,
    getCompilationSettings: () => options,
    getScriptFileNames: () => [path],
    getScriptVersion: () => '1',
    getScriptSnapshot(name) {
      const text = ts.sys.readFile(name)
      return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
    },
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
  })
  const shown: Record<string, string> = {}
  for (const { 0: mark, 1: name, index } of ts.sys.readFile(path)!.matchAll(/\/\* ([\w() ]+) \*\/ /g)) {
    const { displayParts } = service.getQuickInfoAtPosition(path, index + mark.length) ?? {}
    shown[name!] = ts.displayPartsToString(displayParts).replace(/\s+/g, ' ')
  }
  service.dispose()
  return shown
}
