/**
 * Measures a part of a program of Node.js's kind, and writes the result as one line of JSON.
 */
import { performance } from "node:perf_hooks";
import process from "node:process";

/** Begins; the function that is returned ends it. */
export function report() {
  const startMs = performance.now();
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    const seconds = (performance.now() - startMs) / 1000;
    process.stdout.write(`${JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6 })}\n`);
  };
}
