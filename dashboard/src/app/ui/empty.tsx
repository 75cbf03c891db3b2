import type { ComponentChildren, VNode } from "preact";

/** Says what is not there yet, and the command that makes it. */
export function Empty({ children }: { children: ComponentChildren }): VNode {
  return <p class="empty">{children}</p>;
}
