import { assertEquals } from "@std/assert";
import { LOG_LEVELS, Logger } from "../../../src/base/logger.ts";
import { CertificateWatch } from "../../../src/nsqd/node/certificate_watch.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const EXPIRES_MS = Date.UTC(2030, 0, 31, 12);

/** What is said when the certificate is looked at, so many days before it expires. */
function said(...daysBefore: readonly number[]): string[] {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.slice("yyyy/mm/dd hh:mm:ss.uuuuuu ".length));
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write });
  const watch = new CertificateWatch(logger, { expiresMs: EXPIRES_MS });
  for (const days of daysBefore) watch.look(EXPIRES_MS - days * DAY_MS);
  return lines.map((line) => line.replace("2030-01-31T12:00:00.000Z", "<date>"));
}

Deno.test("CertificateWatch.look() says nothing of a certificate that is good for more than 30 days", () => {
  assertEquals(said(1000, 31), []);
});

Deno.test("CertificateWatch.look() warns from 30 days before on, and complains from 7 on", () => {
  assertEquals(said(30.9, 8, 7.9, 1.5, 0.5, -0.5), [
    "WARNING: TLS: the certificate expires in 30 days, on <date>",
    "WARNING: TLS: the certificate expires in 8 days, on <date>",
    "ERROR: TLS: the certificate expires in 7 days, on <date>",
    "ERROR: TLS: the certificate expires in 1 day, on <date>",
    "ERROR: TLS: the certificate expires in less than a day, on <date>",
    "ERROR: TLS: the certificate has expired, on <date>",
  ]);
});

Deno.test("CertificateWatch.look() says it once a day, however often it looks", () => {
  assertEquals(said(20.9, 20.8, 20.1, 19.9, 19.5, -0.1, -0.2, -1.1).length, 4);
});

Deno.test("CertificateWatch.look() looks at the certificate that there is now", () => {
  const lines: string[] = [];
  const logger = new Logger({ prefix: "", level: LOG_LEVELS.info, write: (line) => lines.push(line) });
  const certificate: { expiresMs: number | undefined } = { expiresMs: undefined };
  const watch = new CertificateWatch(logger, certificate);

  watch.look(0);
  certificate.expiresMs = DAY_MS;
  watch.look(0);
  certificate.expiresMs = 1000 * DAY_MS;
  watch.look(0);
  certificate.expiresMs = 1.5 * DAY_MS;
  watch.look(0);

  assertEquals(lines.length, 2);
});
