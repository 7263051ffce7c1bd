/**
 * Credentials in URLs, which belong into configuration files and nowhere else.
 *
 * @module
 */

/** What stands for a part that is not shown. */
const HIDDEN = "***";

/** Name and password before a host: in a URL, or where one begins without its scheme, alone or behind `=` or a quote. */
const USER_INFO = /(^|\/\/|[\s=,"'])[^\s=,"'\/?#]+@(?=[\w.[:-])/g;
/** The value of a parameter in a URL's query. */
const QUERY_VALUE = /([?&][^\s=&#"']+=)[^\s&#"']+/g;

/**
 * The text, with whatever may be a credential in a URL hidden: name and password before the host, and values behind `?`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { hideCredentials } from "./credentials.ts";
 *
 * assertEquals(hideCredentials("http://me:s3cret@auth.example/auth?key=abc"), "http://***@auth.example/auth?key=***");
 * ```
 */
export function hideCredentials(text: string): string {
  return text.replace(USER_INFO, `$1${HIDDEN}@`).replace(QUERY_VALUE, `$1${HIDDEN}`);
}
