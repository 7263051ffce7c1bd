import { assertEquals } from "@std/assert";
import { memoryLimitBytes } from "../../src/base/memory_limit.ts";

/** The limit where these files are. */
function limitWith(files: Readonly<Record<string, string>>): number | undefined {
  return memoryLimitBytes((path) => files[path]);
}

Deno.test("memoryLimitBytes() is that of the process's group, in version 2 of control groups", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/system.slice/nsqd.service\n",
      "/sys/fs/cgroup/system.slice/nsqd.service/memory.max": "134217728\n",
      "/sys/fs/cgroup/system.slice/memory.max": "max\n",
    }),
    134_217_728,
  );
});

Deno.test("memoryLimitBytes() is the least of the group's and of those that it is in", () => {
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "0::/pods/pod/container\n",
      "/sys/fs/cgroup/pods/pod/container/memory.max": "max\n",
      "/sys/fs/cgroup/pods/pod/memory.max": "536870912\n",
      "/sys/fs/cgroup/pods/memory.max": "8589934592\n",
    }),
    536_870_912,
  );
});

Deno.test("memoryLimitBytes() is that of the root in a container, which is a group outside", () => {
  assertEquals(
    limitWith({ "/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/memory.max": "268435456\n" }),
    268_435_456,
  );
});

Deno.test("memoryLimitBytes() is that of the memory controller in version 1, also where the group's folder is not to be seen", () => {
  const groups = "9:name=systemd:/docker/1\n4:cpu,memory:/docker/1\n3:cpuset:/docker/1\n0::/\n";

  assertEquals(
    limitWith({
      "/proc/self/cgroup": groups,
      "/sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes": "134217728\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }),
    134_217_728,
  );
  assertEquals(
    limitWith({ "/proc/self/cgroup": groups, "/sys/fs/cgroup/memory/memory.limit_in_bytes": "67108864\n" }),
    67_108_864,
  );
});

Deno.test("memoryLimitBytes() is not known where there is no limit, no group, or no permission to look", () => {
  assertEquals(
    limitWith({ "/proc/self/cgroup": "0::/a\n", "/sys/fs/cgroup/a/memory.max": "max\n" }),
    undefined,
  );
  assertEquals(
    limitWith({
      "/proc/self/cgroup": "4:memory:/\n",
      "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
    }),
    undefined,
  );
  assertEquals(limitWith({}), undefined);
});

Deno.test({
  name: "memoryLimitBytes() does not ask for a permission that it has not",
  permissions: { read: false },
  fn: () => assertEquals(memoryLimitBytes(), undefined),
});
