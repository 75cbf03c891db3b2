/** Whether a role is another, or stands below it. */
export function isWithin(role: string, above: string): boolean {
  return role === above || role.startsWith(`${above}/`);
}
