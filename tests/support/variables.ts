/**
 * Variables of the environment that only the test's own thread sees: the real ones are those of all tests that run at the same
 * time.
 *
 * @module
 */

/** Makes `Deno.env.get()` tell these, until it is disposed of. */
export class Variables implements Disposable {
  readonly #get = Deno.env.get;

  constructor(variables: Readonly<Record<string, string>>) {
    const get = this.#get;
    Deno.env.get = (name) => variables[name] ?? get(name);
  }

  [Symbol.dispose](): void {
    Deno.env.get = this.#get;
  }
}
