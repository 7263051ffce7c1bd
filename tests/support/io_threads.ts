/**
 * How many I/O threads each nsqd of the tests has that is not told otherwise: `DENOSQ_TEST_IO_THREADS=2` runs all tests over them.
 *
 * @module
 */

/** The option, for an nsqd in the test's own process. */
export const testIoThreads = { ioThreads: Number(Deno.env.get("DENOSQ_TEST_IO_THREADS") ?? 0) };

/** The same as flags; none where there are none to be. */
export const testIoThreadsFlags: readonly string[] = testIoThreads.ioThreads === 0
  ? []
  : [`--io-threads=${testIoThreads.ioThreads}`];
