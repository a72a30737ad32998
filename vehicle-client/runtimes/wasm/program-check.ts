/** Whether a compiled module is a WASI preview 1 command, and nothing that reaches for more. */
import type { FailureCode } from '@plugpool/proto';

export const WASI_MODULE = 'wasi_snapshot_preview1';

export type CheckedProgram =
  { readonly ok: true } | { readonly ok: false; readonly code: FailureCode; readonly detail: string };

/** `calls` are the functions that the host offers under `wasi_snapshot_preview1`. */
export function checkProgram(module: WebAssembly.Module, calls: ReadonlySet<string>): CheckedProgram {
  const forbidden = WebAssembly.Module.imports(module).find(
    (one) => one.module !== WASI_MODULE || one.kind !== 'function' || !calls.has(one.name),
  );
  if (forbidden) {
    const name = `${forbidden.module}.${forbidden.name} (${forbidden.kind})`;
    return {
      ok: false,
      code: 'import_forbidden',
      detail: `the module imports ${name}; only functions of ${WASI_MODULE} are offered`,
    };
  }
  const exported = new Map(WebAssembly.Module.exports(module).map((one) => [one.name, one.kind]));
  if (exported.get('_start') !== 'function')
    return invalid('exports no function "_start": it is no WASI command');
  if (exported.get('memory') !== 'memory') return invalid('exports no memory named "memory"');
  return { ok: true };
}

function invalid(what: string): CheckedProgram {
  return { ok: false, code: 'image_invalid', detail: `the module ${what}` };
}
