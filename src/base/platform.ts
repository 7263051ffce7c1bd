/**
 * What this process is told by, and may ask of, the place that it runs in: a platform such as Deno Deploy, or a machine of
 * which it has only a few permissions. Asking never prompts; what may not be known is as if it were not there.
 *
 * @module
 */

/** The variable that Deno Deploy sets: `true`, and `1` in earlier times. */
const DEPLOY_VARIABLE = "DENO_DEPLOY";
/** What a process is called that may not know the name of its machine. */
const NAMELESS = "sandbox";

/** True on Deno Deploy, and where somebody says that it is such a place. */
export function isOnDeploy(): boolean {
  return /^(1|true)$/i.test(variable(DEPLOY_VARIABLE) ?? "");
}

/** A variable of the environment; undefined where it is not set, or may not be read. */
export function variable(name: string): string | undefined {
  return isGranted({ name: "env", variable: name }) ? Deno.env.get(name) : undefined;
}

/** True when something may be done without anybody being asked. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/** The name of this machine, if it may be known. */
export function machineName(): string | undefined {
  return isGranted({ name: "sys", kind: "hostname" }) ? Deno.hostname() : undefined;
}

/** What this machine is called, or who may not know it. */
export function hostName(): string {
  return machineName() ?? NAMELESS;
}
