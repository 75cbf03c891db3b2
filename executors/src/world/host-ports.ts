/** A port that somebody has; protocol "" means both tcp and udp. */
export interface PortQuestion {
  readonly port: number;
  readonly protocol: string;
}

/** A port in use on the host, and by whom as far as that can be told ("pid 812 (nginx)"). */
export interface PortHolder {
  readonly port: number;
  readonly holder: string;
}

/** What the kernel knows about ports. Answers come by callback, after the call has returned. */
export interface HostPorts {
  /** Those of the ports that can't be bound now. */
  check(questions: readonly PortQuestion[], done: (taken: readonly PortHolder[]) => void): void;
  /** Every port that somebody listens on or is bound to. */
  scan(done: (ports: readonly number[]) => void): void;
}
