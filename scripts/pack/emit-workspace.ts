/**
 * Emits a workspace as a package needs it: `dist/` mirrors the workspace, with .js and .d.ts in the place of each .ts and every
 * other file (generated code, .proto, sample data) beside them as it was.
 */
import { copyFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import ts from 'typescript';

/** What does not belong to the running package. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'bin', 'recorded']);

export function emitWorkspace(root: string, workspace: string): void {
  const workspaceDir = join(root, workspace);
  const distDir = join(workspaceDir, 'dist');
  rmSync(distDir, { recursive: true, force: true });
  const files = listFiles(workspaceDir);
  emitSources(
    root,
    workspaceDir,
    files.filter((file) => file.endsWith('.ts')),
  );
  for (const file of files.filter((file) => !isSource(file))) copyInto(distDir, workspaceDir, file);
  copyFileSync(join(root, 'LICENSE'), join(distDir, 'LICENSE'));
}

function isSource(file: string): boolean {
  return file.endsWith('.ts') && !file.endsWith('.d.ts');
}

function listFiles(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true })
    .filter(
      (entry) => !LEFT_OUT.has(entry.name) && !entry.name.startsWith('.') && entry.name !== 'package.json',
    )
    .flatMap((entry) => (entry.isDirectory() ? listFiles(join(dir, entry.name)) : [join(dir, entry.name)]));
}

/** One program over the whole workspace; files of other workspaces are read for their types and not written. */
function emitSources(root: string, workspaceDir: string, sources: readonly string[]): void {
  const program = ts.createProgram(sources, compilerOptions(root));
  const emitted = program.emit(undefined, (path, text) => {
    const fromWorkspace = relative(workspaceDir, path);
    if (fromWorkspace.startsWith('..')) return;
    write(join(workspaceDir, 'dist', fromWorkspace), namingEmittedFiles(text));
  });
  const problems = [...ts.getPreEmitDiagnostics(program), ...emitted.diagnostics];
  if (problems.length === 0) return;
  const host = {
    getCurrentDirectory: () => root,
    getCanonicalFileName: (name: string) => name,
    getNewLine: () => '\n',
  };
  throw new Error(`the sources do not compile:\n${ts.formatDiagnostics(problems, host)}`);
}

function compilerOptions(root: string): ts.CompilerOptions {
  const configPath = join(root, 'tsconfig.json');
  const config: unknown = ts.readConfigFile(configPath, (path) => ts.sys.readFile(path)).config;
  const { options } = ts.parseJsonConfigFileContent(
    { ...(config as object), include: [], files: [] },
    ts.sys,
    root,
  );
  return { ...options, noEmit: false, declaration: true, rootDir: root, outDir: root };
}

/**
 * The compiler rewrites relative imports in .js, but neither those in .d.ts nor the URL of a sibling that is started as a
 * program of its own.
 */
export function namingEmittedFiles(text: string): string {
  return text
    .replace(/(\bfrom |\bimport\()(['"])(\.{1,2}\/[^'"]+)\.ts\2/g, '$1$2$3.js$2')
    .replace(/(new URL\()(['"])(\.{1,2}\/[^'"]+)\.ts\2(,\s*import\.meta\.url\))/g, '$1$2$3.js$2$4');
}

function copyInto(distDir: string, workspaceDir: string, file: string): void {
  const target = join(distDir, relative(workspaceDir, file).split(sep).join('/'));
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(file, target);
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
